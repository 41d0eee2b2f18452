/* @ABOUT@
 *
 * Give each window to kinelab_recognise, time by time, channel by channel, in this order. A sensor that is missing is
 * NaN in all of its channels, all through. The workspace is yours to place; nothing is allocated, and nothing is kept
 * from one window to the next. One workspace for each thread.
 */
#ifndef KINELAB_H
#define KINELAB_H

@SIZES@

#define KINELAB_OK 0
#define KINELAB_NOT_FINITE 1 /* a value that is missing or infinite */
#define KINELAB_NO_SENSOR 2  /* all of them are missing */

typedef struct {
    float probability[KINELAB_ACTIVITIES];
    float novelty[KINELAB_SENSORS]; /* above 1: unlike anything seen in training */
    int guess;                      /* the likeliest activity */
    int answer;                     /* a node of the tree: the deepest that is as probable as KINELAB_LIMIT */
    int unfamiliar;                 /* no sensor is like what was seen in training: do not show the answer */
} kinelab_result;

/* Place for what is computed of a window. */
typedef struct {
@WORKSPACE@
} kinelab_workspace;

/* The names of the nodes: the activities, then groups of them, the last for "can't tell". UTF-8. */
extern const char *const kinelab_names[KINELAB_NODES];
/* Which activities are below each node. */
extern const unsigned char kinelab_below[KINELAB_NODES][KINELAB_ACTIVITIES];

int kinelab_recognise(const float *window, kinelab_workspace *workspace, kinelab_result *result);

/* The answer where it must be as probable as another limit. */
int kinelab_answer(const kinelab_result *result, float limit);

#endif
