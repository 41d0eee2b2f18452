/* A matrix by rows; where the weights are whole numbers, each column has a scale. */
typedef struct {
    const weight *weights;
    const float *scales;
    int rows, columns;
} matrix;

/* How a stretch of signal is described: a window, or a frame of it. */
typedef struct {
    int length, n_lags, n_bands, relative;
    const int *lags, *edges, *factors;
    const float *hann, *ramp, *cosine, *sine;
} stretch;

/* What the network has for one sensor. */
typedef struct {
    int first_selected;
    matrix first, second, frames, shape, hidden;
    const float *first_shift, *second_shift, *pooling, *bias, *hidden_bias, *score;
} encoder;

/* What a sensor's features usually are. */
typedef struct {
    matrix whitening;
    const float *centres;
    int n_centres;
    float limit;
} familiarity;
