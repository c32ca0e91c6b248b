// Reads texts out of the input, a JSON object. What the contract promises is taken for granted (it is well-formed);
// whatever it is, nothing beyond its end is read.
#ifndef JSON_H
#define JSON_H

#include "bindings/automation.h"

// The text of the member `name` of a JSON object, in memory of its own. False: there is none, or it is no text.
bool json_text(const automation_string_t *object, const char *name, automation_string_t *text);

#endif
