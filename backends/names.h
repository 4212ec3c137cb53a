/* Names of objects in stores that lay them out as a folder does. For the stores alone. */
#ifndef LS_BACKENDS_NAMES_H
#define LS_BACKENDS_NAMES_H

/* What stands in front of "ltx/<level>/<name>" for a replica's path: "" for none, else the cleaned
 * path with a slash behind it. malloc'd, NULL without memory. */
char *ls_name_root(const char *path);

#endif
