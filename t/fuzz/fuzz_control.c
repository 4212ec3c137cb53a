/*
 * Fuzz target: a body of a request to the control server, decoded by the table of each route. What
 * is accepted has a value for each parameter that it names, of the parameter's type.
 */
#include "t/fuzz/fuzz.h"

#include "engine/control/routes.h"

static void check_values(const ls_route *route, const ls_value *values, const json_t *json) {
    EXPECT(json != NULL ? json_is_object(json) || json_is_null(json)
                        : route->params[0].name == NULL);
    for (size_t i = 0; route->params[i].name != NULL; i++) {
        const json_t *exact = json_object_get(json, route->params[i].name);
        EXPECT(exact == NULL || values[i].set);
        EXPECT(values[i].set || (values[i].str == NULL && values[i].num == 0 && !values[i].flag));
        EXPECT(values[i].str == NULL ||
               (route->params[i].type == LS_PARAM_STRING && values[i].str[0] != '\0'));
        EXPECT(values[i].num == 0 || route->params[i].type == LS_PARAM_INT);
        EXPECT(!values[i].flag || route->params[i].type == LS_PARAM_BOOL);
    }
    const char *missing = ls_params_missing(route, values);
    for (size_t i = 0; missing == NULL && route->params[i].name != NULL; i++)
        EXPECT(!route->params[i].required || values[i].str != NULL);
}

static void check_body(const ls_route *route, const char *text, size_t len) {
    ls_value values[LS_PARAMS_MAX] = {0};
    ls_err err = LS_ERR_INIT;
    json_t *json = NULL;

    ls_code rc = ls_params_decode(route, text, len, values, &json, &err);
    EXPECT((rc == LS_OK) == (err.msg[0] == '\0'));
    if (rc == LS_OK)
        check_values(route, values, json);
    json_decref(json);
}

/* The same text as each parameter of a query. */
static void check_query(const ls_route *route, const char *text) {
    for (size_t i = 0; route->params[i].name != NULL; i++) {
        ls_value value;
        ls_err err = LS_ERR_INIT;
        ls_code rc = ls_param_parse(&route->params[i], text, &value, &err);
        EXPECT((rc == LS_OK) == (err.msg[0] == '\0'));
        EXPECT(rc == LS_OK || route->params[i].type != LS_PARAM_STRING);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *allow;
    char *text = malloc(size + 1);

    EXPECT(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    for (const ls_route *route = ls_routes; route->method != NULL; route++) {
        check_body(route, text, size);
        check_query(route, text);
    }
    EXPECT(ls_route_find(LS_ON_SOCKET, "PUT", text, &allow) == NULL);
    free(text);
    return 0;
}
