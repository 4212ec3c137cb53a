/* The axis of the timeline: see axis.h. */
#include "tui/axis.h"

axis axis_all(double a, double b) {
    b = b > a ? b : a + 1;
    return (axis){.all_from = a, .all_to = b, .from = a, .to = b};
}

/* Back within everything, by moving. */
static void settle(axis *x) {
    double shown = x->to - x->from;
    if (x->from < x->all_from) {
        x->from = x->all_from;
        x->to = x->from + shown;
    }
    if (x->to > x->all_to) {
        x->to = x->all_to;
        x->from = x->to - shown > x->all_from ? x->to - shown : x->all_from;
    }
}

void axis_zoom(axis *x, double factor, double value, double least) {
    double all = x->all_to - x->all_from, shown = x->to - x->from, want = shown * factor;
    want = want < least ? least : want;
    want = want > all ? all : want;
    double place = (value - x->from) / shown;
    x->from = value - place * want;
    x->to = x->from + want;
    settle(x);
}

void axis_show(axis *x, double value) {
    double by = value < x->from ? value - x->from : value > x->to ? value - x->to : 0;
    x->from += by;
    x->to += by;
    settle(x);
}

int axis_column(const axis *x, double value, int width) {
    double at = (value - x->from) / (x->to - x->from) * width;
    if (at < 0 || value > x->to) {
        return value < x->from ? -1 : width;
    }
    return at >= width ? width - 1 : (int)at;
}

double axis_value(const axis *x, int column, int width) {
    return x->from + (x->to - x->from) * (column + 0.5) / width;
}
