/* ---- ELM-GRU-AM ---- */

#define ABSENT 1e4f /* taken off the score of a sensor that is not present */

/* ---- Random convolutions of the shape of the signal ---- */

static void convolve_at_random(int device, kinelab_workspace *w, float *out)
{
    const int first = device_start[device], n_channels = device_start[device + 1] - first, half = RAW_STEPS / 2;
    const float *biases = kernel_biases[device];
    const weight *weights = kernel_weights[device];
    const float *scales = kernel_scales[device];
    int c, t, dilation, number, tap, kernel = 0;
    for (c = 0; c < n_channels; c++) { /* mean 0, deviation 1, the samples with even numbers before the others */
        const float *x = w->raw[device_channel[first + c]];
        float *even = w->shape[c], *odd = even + half, square = 0.0f, size;
        const float mean = mean_of(x, RAW_STEPS);
        for (t = 0; t < RAW_STEPS; t++)
            square += (x[t] - mean) * (x[t] - mean);
        size = 1.0f / (sqrtf(square / (float)RAW_STEPS) + 1e-3f);
        for (t = 0; t < half; t++) {
            even[t] = (x[2 * t] - mean) * size;
            odd[t] = (x[2 * t + 1] - mean) * size;
        }
    }
    for (dilation = 0; dilation < N_DILATIONS; dilation++) {
        const int apart = 1 << dilation, steps = (RAW_STEPS - (TAPS - 1) * apart + 1) / 2;
        for (number = 0; number < kernels_of_dilation[device][dilation]; number++, kernel++) {
            const unsigned long heard = kernel_channels[device][kernel];
            const float scale = scales ? scales[kernel] : 1.0f, bias = biases[kernel];
            float sum = 0.0f, *y = w->output;
            for (t = 0; t < steps; t++)
                y[t] = 0.0f;
            for (c = 0; c < n_channels; c++) {
                if (!(heard >> c & 1u))
                    continue;
                for (tap = 0; tap < TAPS; tap++) {
                    const int at = tap * apart;
                    const float *x = w->shape[c] + (at % 2) * half + at / 2, value = (float)*weights++ * scale;
                    for (t = 0; t < steps; t++)
                        y[t] += value * x[t];
                }
            }
            for (t = 0; t < steps; t++)
                sum += y[t] > bias ? y[t] - bias : 0.0f;
            out[kernel] = sum / (float)steps;
        }
    }
}

/* ---- The network ---- */

static float sigmoid(float x)
{
    return 0.5f * (tanhf(0.5f * x) + 1.0f);
}

/* Convolve in strides of 2 what has zeros around it already; x is (steps, channels), y (n_out, columns). */
static void convolve(const float *x, int n_channels, const matrix *kernel, const float *shift, int n_out, float *y)
{
    int step;
    for (step = 0; step < n_out; step++) {
        product(x + 2 * step * n_channels, kernel, shift, y + step * kernel->columns);
        rectify(y + step * kernel->columns, kernel->columns);
    }
}

static float score_of(const float *x, const matrix *hidden, const float *bias, const float *score)
{
    float units[MOST_HIDDEN];
    int i;
    product(x, hidden, bias, units);
    for (i = 0; i < hidden->columns; i++)
        units[i] = tanhf(units[i]);
    return dot(units, score, hidden->columns);
}

/* The frames of a sensor, encoded, and what the attention over sensors makes of each. */
static void encode(int sensor, kinelab_workspace *w)
{
    const encoder *e = &encoders[sensor];
    const int first = sensor_start[sensor], n_channels = sensor_start[sensor + 1] - first;
    int frame, step, i, c;
    memset(w->padded, 0, sizeof w->padded);
    memset(w->padded_again, 0, sizeof w->padded_again);
    for (c = 0; c < n_channels; c++) {
        const int channel = sensor_channel[first + c];
        for (step = 0; step < RAW_STEPS; step++) {
            const float x = (w->raw[channel][step] - raw_centre[channel]) / raw_quiet[channel];
            const float size = logf(fabsf(x) + sqrtf(x * x + 1.0f)) / raw_scale[channel];
            w->padded[(PADDING + step) * n_channels + c] = x < 0.0f ? -size : size;
        }
    }
    convolve(w->padded, n_channels, &e->first, e->first_shift, FIRST_STEPS, w->padded_again + PADDING_AGAIN * FILTERS);
    convolve(w->padded_again, FILTERS, &e->second, e->second_shift, SECOND_STEPS, w->convolved);
    for (frame = 0; frame < FRAMES; frame++) {
        float *x = w->encoded[sensor][frame];
        product(w->selected[frame] + e->first_selected, &e->frames, e->bias, x);
        for (i = 0; i < SECOND_FILTERS; i++)
            w->pooled[i] = 0.0f;
        for (step = 0; step < SECOND_STEPS; step++)
            for (i = 0; i < SECOND_FILTERS; i++)
                w->pooled[i] += e->pooling[frame * SECOND_STEPS + step] * w->convolved[step * SECOND_FILTERS + i];
        add_product(w->pooled, &e->shape, x);
        rectify(x, WIDTH);
        w->score[frame][sensor] = score_of(x, &e->hidden, e->hidden_bias, e->score) + score_bias[sensor];
    }
}

/* Read the frames forwards (way 0) or backwards; the states after each are one half of w->states. */
static void read_in_order(int way, kinelab_workspace *w)
{
    float state[UNITS] = {0.0f}, update[UNITS], reset[UNITS], candidate[UNITS];
    int number, i;
    for (number = 0; number < FRAMES; number++) {
        const int frame = way ? FRAMES - 1 - number : number;
        const float *read = w->read[frame] + way * UNITS;
        product(state, &gru_recurrent[way], gru_recurrent_bias[way], update);
        product(state, &gru_recurrent[2 + way], gru_recurrent_bias[2 + way], reset);
        product(state, &gru_recurrent[4 + way], gru_recurrent_bias[4 + way], candidate);
        for (i = 0; i < UNITS; i++) {
            const float kept = sigmoid(read[i] + update[i]), again = sigmoid(read[2 * UNITS + i] + reset[i]);
            const float next = tanhf(read[4 * UNITS + i] + again * candidate[i]);
            state[i] = kept * (state[i] - next) + next;
            w->states[frame][way * UNITS + i] = state[i];
        }
    }
}

static void run_network(const int *present, kinelab_workspace *w, float *probability)
{
    float attention[FRAMES], average[2 * UNITS] = {0.0f}, embedding[EMBEDDING];
    int sensor, frame, i;
    for (sensor = 0; sensor < KINELAB_SENSORS; sensor++)
        encode(sensor, w);
    for (frame = 0; frame < FRAMES; frame++) {
        float *step = w->step;
        for (sensor = 0; sensor < KINELAB_SENSORS; sensor++)
            w->score[frame][sensor] -= present[sensor] ? 0.0f : ABSENT;
        softmax(w->score[frame], KINELAB_SENSORS);
        memset(step, 0, sizeof w->step);
        for (sensor = 0; sensor < KINELAB_SENSORS; sensor++)
            for (i = 0; i < WIDTH; i++)
                step[i] += w->score[frame][sensor] * w->encoded[sensor][frame][i];
        product(step, &gru_input, gru_input_bias, w->read[frame]);
    }
    read_in_order(0, w);
    read_in_order(1, w);
    for (frame = 0; frame < FRAMES; frame++)
        attention[frame] = score_of(w->states[frame], &time_hidden, time_hidden_bias, time_score);
    softmax(attention, FRAMES);
    for (frame = 0; frame < FRAMES; frame++)
        for (i = 0; i < 2 * UNITS; i++)
            average[i] += attention[frame] * w->states[frame][i];
    product(average, &embedding_weights, embedding_bias, embedding);
    rectify(embedding, EMBEDDING);
    product(embedding, &activity_weights, activity_bias, probability);
    softmax(probability, KINELAB_ACTIVITIES);
}

/* ---- What is familiar, the head, and the answer ---- */

static float novelty_of(const float *x, const familiarity *f, kinelab_workspace *w)
{
    const int n = f->whitening.rows;
    float nearest = INFINITY;
    int i, centre;
    for (i = 0; i < n; i++)
        w->block[i] = clipped(x[i], FAR);
    product(w->block, &f->whitening, NULL, w->whitened);
    for (centre = 0; centre < f->n_centres; centre++) {
        float square = 0.0f;
        for (i = 0; i < n; i++) {
            const float off = w->whitened[i] - f->centres[centre * n + i];
            square += off * off;
        }
        nearest = square < nearest ? square : nearest;
    }
    return sqrtf(nearest) / f->limit;
}

/* The scores of the head for the sensors that are present; all 0 for a combination that it never learnt. */
static void score_by_head(const int *present, kinelab_workspace *w, float *scores)
{
    int pattern, sensor, device, block, i;
    unsigned long blocks = 0;
    for (sensor = 0; sensor < KINELAB_SENSORS; sensor++)
        blocks |= (unsigned long)present[sensor] << sensor;
    for (device = 0; device < DEVICES; device++)
        if ((blocks & sensors_of_device[device]) == sensors_of_device[device])
            blocks |= 1ul << (KINELAB_SENSORS + device);
    memset(scores, 0, sizeof(float) * KINELAB_ACTIVITIES);
    for (pattern = 0; pattern < HEAD_PATTERNS && head_pattern[pattern] != blocks; pattern++)
        ;
    if (pattern == HEAD_PATTERNS)
        return;
    for (block = 0; block < BLOCKS; block++) {
        const int first = block_start[block], n = block_start[block + 1] - first;
        const matrix *output = &head_output[pattern * BLOCKS + block];
        if (!(blocks >> block & 1u))
            continue;
        for (i = 0; i < n; i++)
            w->block[i] = clipped(w->scaled[first + i], CLIP);
        if (block < KINELAB_SENSORS) {
            product(w->block, &head_hidden[block], head_bias[block], w->hidden);
            rectify(w->hidden, head_hidden[block].columns);
            add_product(w->hidden, output, scores);
        } else {
            for (i = 0; i < n; i++)
                w->block[i] *= NODE_SCALE;
            add_product(w->block, output, scores);
        }
    }
}

/* ---- From the window to the answer ---- */

/* Average to the rate of the convolutions; the last sample stands for those that the window lacks. */
static void load_raw(kinelab_workspace *w)
{
    int channel, step, i;
    for (channel = 0; channel < KINELAB_CHANNELS; channel++)
        for (step = 0; step < RAW_STEPS; step++) {
            float sum = 0.0f;
            for (i = 0; i < AVERAGED; i++) {
                const int t = step * AVERAGED + i;
                sum += w->x[channel][t < KINELAB_TIMESTEPS ? t : KINELAB_TIMESTEPS - 1];
            }
            w->raw[channel][step] = sum / (float)AVERAGED;
        }
}

/* All that is said of the window, scaled, block by block; and the frames that the network reads. */
static void describe_window(kinelab_workspace *w)
{
    float *shapes = w->whole + WHOLE_FEATURES + ABSOLUTE_FEATURES;
    int frame, i, device;
    load_raw(w);
    describe(&whole_stretch, 0, w, w->whole);
    for (i = 0; i < ABSOLUTE_FEATURES; i++)
        w->whole[WHOLE_FEATURES + i] = 0.0f;
    for (frame = 0; frame < FRAMES; frame++) {
        describe(&frame_stretch, frame * FRAME_STEP, w, w->features);
        for (i = 0; i < ABSOLUTE_FEATURES; i++)
            w->whole[WHOLE_FEATURES + i] += w->features[absolute[i]] / (float)FRAMES;
        for (i = 0; i < SELECTED; i++)
            w->selected[frame][i] = clipped((w->features[selected[i]] - frame_mean[i]) / frame_deviation[i], CLIP);
    }
    for (device = 0; device < DEVICES; device++) {
        convolve_at_random(device, w, shapes);
        shapes += n_kernels[device];
    }
    for (i = 0; i < SCALED; i++)
        w->scaled[i] = (w->whole[column[i]] - window_mean[i]) / window_deviation[i];
}

int kinelab_recognise(const float *window, kinelab_workspace *w, kinelab_result *result)
{
    int missing[KINELAB_SENSORS], present[KINELAB_SENSORS];
    int sensor, pattern, i, familiar = 0, fault = load_window(window, w, missing);
    float scores[KINELAB_ACTIVITIES];
    unsigned long here = 0;
    if (fault)
        return fault;
    describe_window(w);
    for (sensor = 0; sensor < KINELAB_SENSORS; sensor++) {
        const float novelty = novelty_of(w->scaled + block_start[sensor], &familiar_features[sensor], w);
        result->novelty[sensor] = missing[sensor] ? INFINITY : novelty;
        present[sensor] = !missing[sensor] && novelty <= 1.0f;
        familiar |= present[sensor];
    }
    result->unfamiliar = !familiar;
    for (sensor = 0; sensor < KINELAB_SENSORS; sensor++) {
        present[sensor] = familiar ? present[sensor] : !missing[sensor]; /* where all are novel, all count */
        here |= (unsigned long)present[sensor] << sensor;
    }
    run_network(present, w, result->probability);
    score_by_head(present, w, scores);
    for (pattern = COMBINATIONS - 1; pattern > 0 && combination_pattern[pattern] != here; pattern--)
        ; /* the first is that of all sensors, which a pattern that was never learnt gets, too */
    for (i = 0; i < KINELAB_ACTIVITIES; i++)
        result->probability[i] = combination[2 * pattern] * logf(result->probability[i] + 1e-7f)
                                 + combination[2 * pattern + 1] * scores[i];
    softmax(result->probability, KINELAB_ACTIVITIES);
    return decide(result);
}
