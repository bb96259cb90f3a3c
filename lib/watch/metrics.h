/*
 * metrics.h - the status document as metrics for Prometheus, in the text format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/).
 */
#ifndef LIB_WATCH_METRICS_H
#define LIB_WATCH_METRICS_H

#include "lib/buf.h"
#include "lib/json.h"

/* Appends the metrics of a document of document.h. 0, or -1 when out is full. */
int metrics_text(const json *status, struct buf *out);

#endif
