/*
 * Names by pattern, as the configuration's `pattern` has them: Go's filepath.Match.
 *
 *   *       any characters, also none      [a-z]   one of a class; [^a-z] none of it
 *   ?       any one character              \c      the character c, in a class as well
 */
#ifndef LS_BASE_GLOB_H
#define LS_BASE_GLOB_H

#include <stdbool.h>

/* Can it be one? An open class, an empty one and a lone backslash at the end cannot. */
bool ls_glob_valid(const char *pattern);

/* Is the whole name (without '/') one of the pattern? False for a pattern that is not valid. */
bool ls_glob_match(const char *pattern, const char *name);

#endif
