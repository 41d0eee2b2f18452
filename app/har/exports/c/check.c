/* Reads windows from standard input (float32, time by time, channel by channel) and writes, of each, a line of JSON. */
#include <stdio.h>
#include <time.h>

#include "kinelab.h"

static kinelab_workspace workspace;
static float window[KINELAB_TIMESTEPS * KINELAB_CHANNELS];

int main(void)
{
    kinelab_result result;
    clock_t began, spent = 0;
    long n = 0;
    int i, fault;
    while (fread(window, sizeof window, 1, stdin) == 1) {
        began = clock();
        fault = kinelab_recognise(window, &workspace, &result);
        spent += clock() - began;
        n++;
        printf("{\"fault\": %d, \"answer\": %d, \"unfamiliar\": %d, \"probability\": [", fault, fault ? 0 : result.answer,
               fault ? 0 : result.unfamiliar);
        for (i = 0; i < KINELAB_ACTIVITIES && !fault; i++)
            printf(i ? ", %.9g" : "%.9g", (double)result.probability[i]);
        printf("]}\n");
    }
    printf("{\"windows\": %ld, \"ms\": %.6f, \"ram\": %lu}\n", n, n ? 1e3 * (double)spent / CLOCKS_PER_SEC / (double)n : 0.0,
           (unsigned long)sizeof workspace);
    return ferror(stdin) || ferror(stdout);
}
