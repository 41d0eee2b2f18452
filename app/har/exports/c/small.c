/* ---- A small model: two layers on the features of the whole window ---- */

int kinelab_recognise(const float *window, kinelab_workspace *w, kinelab_result *result)
{
    int missing[KINELAB_SENSORS], present[KINELAB_SENSORS];
    int sensor, i, familiar = 0, fault = load_window(window, w, missing);
    if (fault)
        return fault;
    describe(&whole_stretch, 0, w, w->features);
    for (sensor = 0; sensor < KINELAB_SENSORS; sensor++) {
        const int first = block_start[sensor], last = block_start[sensor + 1];
        float square = 0.0f;
        for (i = first; i < last; i++) {
            w->scaled[i] = clipped((w->features[column[i]] - window_mean[i]) / window_deviation[i], FAR);
            square += w->scaled[i] * w->scaled[i];
        }
        result->novelty[sensor] =
            missing[sensor] ? INFINITY : sqrtf(square / (float)(last - first)) / familiar_limit[sensor];
        present[sensor] = result->novelty[sensor] <= 1.0f;
        familiar |= present[sensor];
    }
    result->unfamiliar = !familiar;
    memcpy(w->hidden, hidden_bias, sizeof w->hidden);
    for (sensor = 0; sensor < KINELAB_SENSORS; sensor++) {
        if (!(familiar ? present[sensor] : !missing[sensor])) /* where all are novel, all count */
            continue;
        for (i = block_start[sensor]; i < block_start[sensor + 1]; i++)
            w->scaled[i] = clipped(w->scaled[i], CLIP);
        add_product(w->scaled + block_start[sensor], &hidden_layer[sensor], w->hidden);
    }
    rectify(w->hidden, UNITS);
    product(w->hidden, &output_layer, output_bias, result->probability);
    softmax(result->probability, KINELAB_ACTIVITIES);
    return decide(result);
}
