// Greets a person by message.

#include <stdlib.h>
#include <string.h>

#include "bindings/automation.h"
#include "json.h"

// Nothing here is freed: each call has an instance of its own, whose memory is gone with it. What a run returns has to be
// allocated, though, because the bindings free it.

static automation_string_t join(const char *before, automation_string_t middle, const char *after) {
  size_t head = strlen(before), tail = strlen(after);
  automation_string_t joined = { malloc(head + middle.len + tail), head + middle.len + tail };
  if (joined.ptr == NULL) abort();
  memcpy(joined.ptr, before, head);
  memcpy(joined.ptr + head, middle.ptr, middle.len);
  memcpy(joined.ptr + head + middle.len, after, tail);
  return joined;
}

static automation_string_t trim(automation_string_t text) {
  while (text.len > 0 && text.ptr[0] <= ' ') text.ptr++, text.len--;
  while (text.len > 0 && text.ptr[text.len - 1] <= ' ') text.len--;
  return text;
}

// It will never work: the job ends, and a person is told the reason. Beside it there are ..._FAILURE_MISSING, for what a
// person or a later event may bring, and ..._FAILURE_RETRY.
static bool permanent(automation_failure_t *failure, automation_string_t reason) {
  failure->tag = ZELO_AUTOMATION_TYPES_FAILURE_PERMANENT;
  failure->val.permanent = reason;
  return false;
}

static bool no_text(automation_failure_t *failure, const char *input) {
  automation_string_t name;
  automation_string_set(&name, input);
  return permanent(failure, join("the input `", name, "` is not a text"));
}

// What reaches the plugin is final: troubles that pass end the attempt, and zelo tries the job again.
static bool not_sent(automation_failure_t *failure, const zelo_automation_messages_error_t *error) {
  switch (error->tag) {
    case ZELO_AUTOMATION_MESSAGES_ERROR_REFUSED:
      return permanent(failure, join("the message was refused: ", error->val.refused, ""));
    case ZELO_AUTOMATION_MESSAGES_ERROR_INVALID:
      return permanent(failure, join("the message is not valid: ", error->val.invalid, ""));
    default:
      return permanent(failure, join("the message cannot be delivered: ", error->val.undeliverable, ""));
  }
}

// The plugin: called once for each job. True with an outcome, or false with a failure.
bool exports_automation_run(automation_invocation_t *call, automation_outcome_t *outcome, automation_failure_t *failure) {
  automation_string_t to, name;
  if (!json_text(&call->input, "to", &to)) return no_text(failure, "to");
  if (!json_text(&call->input, "name", &name)) return no_text(failure, "name");
  name = trim(name);
  if (name.len == 0) {
    automation_string_dup(&failure->val.permanent, "the name is empty");
    return permanent(failure, failure->val.permanent);
  }

  automation_string_t line = join("greeting for event ", call->event.id, "");
  zelo_automation_log_write(ZELO_AUTOMATION_LOG_LEVEL_INFO, &line);

  zelo_automation_messages_message_t message = { .to = to };
  message.body.tag = ZELO_AUTOMATION_MESSAGES_BODY_TEXT;
  message.body.val.text = join("Olá, ", name, "!");
  zelo_automation_messages_sent_t sent;
  zelo_automation_messages_error_t error;
  if (!zelo_automation_messages_send(&message, &sent, &error)) return not_sent(failure, &error);

  automation_string_dup(&outcome->code, "greeted");
  outcome->summary = join("Saudação enviada por ", sent.channel, "");
  outcome->output.is_some = false;
  return true;
}
