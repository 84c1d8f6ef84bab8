/* What both programs of the example share: their one argument, and as much JSON as the service Arith needs. */
#ifndef ARITH_H
#define ARITH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rpcx.h>

/* The value of --addr, or the default; ends the program when something else stands there. */
static inline const char *address_from_arguments(int count, char **arguments) {
  if (count == 1) return "tcp@127.0.0.1:8972";
  if (count == 3 && (!strcmp(arguments[1], "--addr") || !strcmp(arguments[1], "-addr"))) return arguments[2];
  fprintf(stderr, "usage: --addr <address>, such as tcp@127.0.0.1:8972 (the default), unix@/tmp/arith.sock\n");
  exit(2);
}

/* Prints why, and ends the program. */
static inline void must(rpcx_error *error) {
  if (!error) return;
  fprintf(stderr, "%s\n", rpcx_error_text(error));
  rpcx_error_free(error);
  exit(1);
}

/* Reads an integer field of a flat JSON object; false when there is none. A payload does not end with a NUL. */
static inline bool read_field(rpcx_slice json, const char *name, long long *value) {
  char text[256], quoted[32];
  if (json.len >= sizeof text) return false;
  memcpy(text, json.data, json.len);
  text[json.len] = 0;
  snprintf(quoted, sizeof quoted, "\"%s\"", name);
  const char *at = strstr(text, quoted);
  if (at) at = strchr(at, ':');
  char *end = NULL;
  if (at) *value = strtoll(at + 1, &end, 10);
  return at && end != at + 1;
}

#endif
