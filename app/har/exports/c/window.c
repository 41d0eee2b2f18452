/* ---- What is the same for every model: a window, what is said of it, and the answer. ---- */

#define FLOOR 1e-4f   /* of a spread before its logarithm, m/s2 or rad/s */
#define CLIP 5.0f     /* deviations: what lies beyond says no more */
#define FAR 30.0f     /* deviations: what lies beyond counts as this far */
#define TILE 64       /* columns of a matrix at a time: their sums stay in the cache */

static float clipped(float value, float most)
{
    return value > most ? most : value < -most ? -most : value;
}

/* y += x W; the scales bring whole numbers of 8 bits back to what they stand for. */
static void add_product(const float *x, const matrix *w, float *y)
{
    float sum[TILE];
    int first, i, j;
    for (first = 0; first < w->columns; first += TILE) {
        const int width = w->columns - first < TILE ? w->columns - first : TILE;
        const weight *row = w->weights + first;
        for (j = 0; j < width; j++)
            sum[j] = 0.0f;
        for (i = 0; i < w->rows; i++, row += w->columns) {
            const float value = x[i];
            for (j = 0; j < width; j++)
                sum[j] += value * (float)row[j];
        }
        for (j = 0; j < width; j++)
            y[first + j] += w->scales ? w->scales[first + j] * sum[j] : sum[j];
    }
}

/* y = bias + x W */
static void product(const float *x, const matrix *w, const float *bias, float *y)
{
    int j;
    for (j = 0; j < w->columns; j++)
        y[j] = bias ? bias[j] : 0.0f;
    add_product(x, w, y);
}

static float dot(const float *a, const float *b, int n)
{
    float sum[8] = {0.0f};
    int i = 0, j;
    for (; i + 8 <= n; i += 8)
        for (j = 0; j < 8; j++)
            sum[j] += a[i + j] * b[i + j];
    for (; i < n; i++)
        sum[0] += a[i] * b[i];
    return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
}

static float mean_of(const float *a, int n)
{
    float sum[8] = {0.0f};
    int i = 0, j;
    for (; i + 8 <= n; i += 8)
        for (j = 0; j < 8; j++)
            sum[j] += a[i + j];
    for (; i < n; i++)
        sum[0] += a[i];
    return (((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]))) / (float)n;
}

static void rectify(float *x, int n)
{
    int i;
    for (i = 0; i < n; i++)
        x[i] = x[i] > 0.0f ? x[i] : 0.0f;
}

static void softmax(float *x, int n)
{
    float most = x[0], sum = 0.0f;
    int i;
    for (i = 1; i < n; i++)
        most = x[i] > most ? x[i] : most;
    for (i = 0; i < n; i++)
        sum += x[i] = expf(x[i] - most);
    for (i = 0; i < n; i++)
        x[i] /= sum;
}

/* ---- Features of a stretch of signal ---- */

/* The discrete Fourier transform of every step-th value, n in all, by the factors of n. */
static void transform(const stretch *s, const float *in_re, const float *in_im, int step, const int *factor, int n,
                      float *re, float *im)
{
    const int r = n == 1 ? 1 : *factor, m = n / r, whole = s->length;
    float turned_re[MOST_FACTOR], turned_im[MOST_FACTOR];
    int k, p, q, at;
    if (n == 1) {
        *re = *in_re;
        *im = *in_im;
        return;
    }
    for (q = 0; q < r; q++)
        transform(s, in_re + q * step, in_im + q * step, step * r, factor + 1, m, re + q * m, im + q * m);
    for (k = 0; k < m; k++) {
        for (q = 0, at = 0; q < r; q++) {
            const float c = s->cosine[at], d = s->sine[at], a = re[q * m + k], b = im[q * m + k];
            turned_re[q] = a * c + b * d;
            turned_im[q] = b * c - a * d;
            at += k * step;
            if (at >= whole)
                at -= whole;
        }
        for (p = 0; p < r; p++) {
            const int on = p * m * step;
            float sum_re = 0.0f, sum_im = 0.0f;
            for (q = 0, at = 0; q < r; q++) {
                const float c = s->cosine[at], d = s->sine[at];
                sum_re += turned_re[q] * c + turned_im[q] * d;
                sum_im += turned_im[q] * c - turned_re[q] * d;
                at += on;
                if (at >= whole)
                    at -= whole;
            }
            re[p * m + k] = sum_re;
            im[p * m + k] = sum_im;
        }
    }
}

/* The mean power of each band, and of all of them, of two signals of mean 0 at once. */
static void powers(const stretch *s, const float *one, const float *other, kinelab_workspace *w, float *of_one,
                   float *of_other)
{
    const int n = s->length;
    float *re = w->re, *im = w->im, all_one = 0.0f, all_other = 0.0f;
    int t, band, k;
    for (t = 0; t < n; t++) {
        w->in_re[t] = one[t] * s->hann[t];
        w->in_im[t] = other[t] * s->hann[t];
    }
    transform(s, w->in_re, w->in_im, 1, s->factors, n, re, im);
    for (band = 0; band < s->n_bands; band++) {
        const int low = s->edges[band], high = s->edges[band + 1];
        float sum_one = 0.0f, sum_other = 0.0f;
        for (k = low; k < high; k++) {
            const float a = re[k] + re[n - k], b = im[k] - im[n - k], c = im[k] + im[n - k], d = re[n - k] - re[k];
            sum_one += 0.25f * (a * a + b * b);
            sum_other += 0.25f * (c * c + d * d);
        }
        of_one[band] = sum_one / (float)(high - low);
        of_other[band] = sum_other / (float)(high - low);
        all_one += sum_one;
        all_other += sum_other;
    }
    of_one[s->n_bands] = all_one / (float)(s->edges[s->n_bands] - 1);
    of_other[s->n_bands] = all_other / (float)(s->edges[s->n_bands] - 1);
}

/* Copy the channels from a sample on; add, of a sensor with axes, the magnitude with and without the mean. */
static void load_signals(const stretch *s, int start, kinelab_workspace *w)
{
    int channel, sensor, i, t, extra = KINELAB_CHANNELS;
    for (channel = 0; channel < KINELAB_CHANNELS; channel++)
        memcpy(w->signal[channel], w->x[channel] + start, sizeof(float) * (size_t)s->length);
    for (sensor = 0; sensor < KINELAB_SENSORS; sensor++) {
        float *length, *moving;
        if (sensor_start[sensor + 1] - sensor_start[sensor] < 2)
            continue;
        length = w->signal[extra];
        moving = w->signal[extra + 1];
        memset(length, 0, sizeof(float) * (size_t)s->length);
        memset(moving, 0, sizeof(float) * (size_t)s->length);
        for (i = sensor_start[sensor]; i < sensor_start[sensor + 1]; i++) {
            const float *axis = w->signal[sensor_channel[i]], mean = mean_of(axis, s->length);
            for (t = 0; t < s->length; t++) {
                length[t] += axis[t] * axis[t];
                moving[t] += (axis[t] - mean) * (axis[t] - mean);
            }
        }
        for (t = 0; t < s->length; t++) {
            length[t] = sqrtf(length[t]);
            moving[t] = sqrtf(moving[t]);
        }
        extra += 2;
    }
}

static void describe(const stretch *s, int start, kinelab_workspace *w, float *out)
{
    const int n = s->length, step = N_SIGNALS;
    float spread[N_SIGNALS];
    int i, j, t, band, column;
    load_signals(s, start, w);
    for (i = 0; i < N_SIGNALS; i++) {
        float *x = w->signal[i], jerk = 0.0f, high, low;
        const float mean = mean_of(x, n);
        for (t = 0; t < n; t++)
            x[t] -= mean;
        spread[i] = sqrtf(dot(x, x, n) / (float)n) + FLOOR;
        high = low = x[0];
        for (t = 1; t < n; t++) {
            jerk += fabsf(x[t] - x[t - 1]);
            high = x[t] > high ? x[t] : high;
            low = x[t] < low ? x[t] : low;
        }
        out[i] = mean;
        out[step + i] = logf(spread[i]);
        out[2 * step + i] = logf(jerk * (KINELAB_RATE_HZ / (float)(n - 1)) + FLOOR);
        out[3 * step + i] = logf(high + FLOOR);
        out[4 * step + i] = logf(FLOOR - low);
        out[5 * step + i] = dot(x, s->ramp, n) / (float)n / spread[i];
        for (j = 0; j < s->n_lags; j++) {
            const int lag = s->lags[j];
            out[(6 + j) * step + i] = dot(x + lag, x, n - lag) / (float)(n - lag) / (spread[i] * spread[i]);
        }
    }
    column = (6 + s->n_lags) * step;
    for (i = 0; i < N_SIGNALS; i += 2) /* where there is no other, it is the same once more */
        powers(s, w->signal[i], w->signal[i + 1 < N_SIGNALS ? i + 1 : i], w, w->power[i],
               w->power[i + 1 < N_SIGNALS ? i + 1 : i]);
    for (i = 0; i < N_SIGNALS; i++) {
        const float whole = logf(w->power[i][s->n_bands] + FLOOR * FLOOR);
        for (band = 0; band < s->n_bands; band++) {
            const float power = logf(w->power[i][band] + FLOOR * FLOOR);
            if (s->relative) {
                out[column + 2 * band * step + i] = power;
                out[column + (2 * band + 1) * step + i] = power - whole;
            } else {
                out[column + band * step + i] = power;
            }
        }
    }
    column += (s->relative ? 2 : 1) * s->n_bands * step;
    for (i = 0; i < N_PAIRS; i++) {
        const int a = pairs[2 * i], b = pairs[2 * i + 1];
        out[column + i] = dot(w->signal[a], w->signal[b], n) / (float)n / (spread[a] * spread[b]);
    }
}

/* ---- The window and the answer ---- */

/* The deepest node that is probable enough; of nodes equally deep, the likelier; else the root, the last. */
int kinelab_answer(const kinelab_result *result, float limit)
{
    float best = -1.0f;
    int node, activity, answer = KINELAB_NODES - 1;
    for (node = 0; node < KINELAB_NODES; node++) {
        float probability = 0.0f, worth;
        for (activity = 0; activity < KINELAB_ACTIVITIES; activity++)
            if (kinelab_below[node][activity])
                probability += result->probability[activity];
        if (probability < limit && node < KINELAB_NODES - 1)
            continue;
        worth = node_depth[node] + 0.5f * probability;
        if (worth > best) {
            best = worth;
            answer = node;
        }
    }
    return answer;
}

/* Bring the samples into channels; a sensor of NaN throughout is missing, and silent. */
static int load_window(const float *window, kinelab_workspace *w, int *missing)
{
    int sensor, i, t, there = 0;
    for (sensor = 0; sensor < KINELAB_SENSORS; sensor++) {
        int gaps = 0, n = 0;
        for (i = sensor_start[sensor]; i < sensor_start[sensor + 1]; i++) {
            float *x = w->x[sensor_channel[i]];
            for (t = 0; t < KINELAB_TIMESTEPS; t++, n++) {
                x[t] = window[t * KINELAB_CHANNELS + sensor_channel[i]];
                gaps += isnan(x[t]) ? 1 : 0;
                if (isinf(x[t]))
                    return KINELAB_NOT_FINITE;
            }
        }
        if (gaps > 0 && gaps < n)
            return KINELAB_NOT_FINITE;
        missing[sensor] = gaps > 0;
        there += gaps == 0;
        for (i = sensor_start[sensor]; gaps > 0 && i < sensor_start[sensor + 1]; i++)
            memset(w->x[sensor_channel[i]], 0, sizeof w->x[0]);
    }
    return there ? KINELAB_OK : KINELAB_NO_SENSOR;
}

/* The likeliest activity, and the answer. */
static int decide(kinelab_result *result)
{
    int i;
    for (i = 0, result->guess = 0; i < KINELAB_ACTIVITIES; i++) {
        if (!isfinite(result->probability[i]))
            return KINELAB_NOT_FINITE;
        if (result->probability[i] > result->probability[result->guess])
            result->guess = i;
    }
    result->answer = kinelab_answer(result, KINELAB_LIMIT);
    return KINELAB_OK;
}
