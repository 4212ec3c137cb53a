/*
 * The table of everything that can be asked of the control server: method, path, parameters,
 * handler and what they mean. Dispatch, decoding of parameters, 405 with Allow and the test that
 * holds doc/control-api.md against it come from here.
 *
 * Parameters of GET are those of the query, those of POST the members of one JSON object, found
 * without regard to case; others are passed over.
 */
#ifndef LS_CONTROL_ROUTES_H
#define LS_CONTROL_ROUTES_H

#include "engine/base/error.h"

#include <jansson.h>
#include <stdint.h>

typedef struct ls_request ls_request;

/* Which server answers it. */
enum { LS_ON_SOCKET = 1, LS_ON_METRICS = 2 };

typedef enum ls_param_type { LS_PARAM_STRING, LS_PARAM_INT, LS_PARAM_BOOL } ls_param_type;

typedef struct ls_param {
    const char *name; /* NULL: no more */
    ls_param_type type;
    bool required; /* a string that must not be empty; else "NAME required" */
    const char *doc;
} ls_param;

#define LS_PARAMS_MAX 7

typedef struct ls_route {
    const char *method, *path; /* method NULL: no more */
    unsigned where;
    ls_param params[LS_PARAMS_MAX + 1];
    void (*handle)(ls_request *r);
    const char *doc;
} ls_route;

extern const ls_route ls_routes[];

typedef struct ls_value {
    const char *str; /* strings; NULL: absent or empty */
    int64_t num;
    bool flag;
    bool set;
} ls_value;

/* The route of method and path that a server answers. NULL: *allow says which methods there are
 * ("GET, HEAD"), "" if the path is unknown. */
const ls_route *ls_route_find(unsigned where, const char *method, const char *path,
                              const char **allow);

/* Fills values (as many as the route has parameters) from a JSON text; *json is what they point
 * into and the caller's to json_decref, also after a failure. LS_EINVALID: the message is what the
 * answer calls details. An empty text is an error, null an empty object. */
LS_MUST ls_code ls_params_decode(const ls_route *route, const char *text, size_t len,
                                 ls_value *values, json_t **json, ls_err *err);

/* One parameter of a query. */
LS_MUST ls_code ls_param_parse(const ls_param *param, const char *text, ls_value *value,
                               ls_err *err);

/* The first required parameter that is missing, NULL if none is. */
const char *ls_params_missing(const ls_route *route, const ls_value *values);

#endif
