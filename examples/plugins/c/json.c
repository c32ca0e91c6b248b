#include "json.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
  const uint8_t *at;
  const uint8_t *end;
} reader_t;

static void skip_space(reader_t *reader) {
  while (reader->at < reader->end && strchr(" \t\r\n", *reader->at) != NULL && *reader->at != 0) reader->at++;
}

static bool take(reader_t *reader, char wanted) {
  skip_space(reader);
  if (reader->at == reader->end || *reader->at != (uint8_t) wanted) return false;
  reader->at++;
  return true;
}

// Four hexadecimal digits.
static bool take_unit(reader_t *reader, uint32_t *unit) {
  *unit = 0;
  for (int i = 0; i < 4; i++) {
    if (reader->at == reader->end) return false;
    uint8_t digit = *reader->at++;
    uint32_t value;
    if (digit >= '0' && digit <= '9') value = digit - '0';
    else if ((digit | 32) >= 'a' && (digit | 32) <= 'f') value = (digit | 32) - 'a' + 10;
    else return false;
    *unit = *unit << 4 | value;
  }
  return true;
}

// What stands after `\u`: a character, or the first half of one (UTF-16) with the second to come.
static bool take_character(reader_t *reader, uint32_t *character) {
  if (!take_unit(reader, character)) return false;
  if (*character >= 0xdc00 && *character <= 0xdfff) return false;
  if (*character < 0xd800 || *character > 0xdbff) return true;
  uint32_t low;
  if (reader->end - reader->at < 2 || memcmp(reader->at, "\\u", 2) != 0) return false;
  reader->at += 2;
  if (!take_unit(reader, &low) || low < 0xdc00 || low > 0xdfff) return false;
  *character = 0x10000 + ((*character - 0xd800) << 10) + (low - 0xdc00);
  return true;
}

static uint8_t *put_utf8(uint8_t *to, uint32_t character) {
  if (character < 0x80) {
    *to++ = (uint8_t) character;
  } else if (character < 0x800) {
    *to++ = (uint8_t) (0xc0 | character >> 6);
    *to++ = (uint8_t) (0x80 | (character & 0x3f));
  } else if (character < 0x10000) {
    *to++ = (uint8_t) (0xe0 | character >> 12);
    *to++ = (uint8_t) (0x80 | (character >> 6 & 0x3f));
    *to++ = (uint8_t) (0x80 | (character & 0x3f));
  } else {
    *to++ = (uint8_t) (0xf0 | character >> 18);
    *to++ = (uint8_t) (0x80 | (character >> 12 & 0x3f));
    *to++ = (uint8_t) (0x80 | (character >> 6 & 0x3f));
    *to++ = (uint8_t) (0x80 | (character & 0x3f));
  }
  return to;
}

// A text, in memory of its own.
static bool take_text(reader_t *reader, automation_string_t *text) {
  if (!take(reader, '"')) return false;
  // No escape is shorter than what it stands for.
  uint8_t *to = malloc((size_t) (reader->end - reader->at) + 1);
  if (to == NULL) abort();
  text->ptr = to;
  while (reader->at < reader->end) {
    uint8_t byte = *reader->at++;
    if (byte == '"') {
      text->len = (size_t) (to - text->ptr);
      return true;
    }
    if (byte != '\\') {
      *to++ = byte;
      continue;
    }
    if (reader->at == reader->end) break;
    uint8_t escape = *reader->at++;
    uint32_t character;
    switch (escape) {
      case '"': case '\\': case '/': *to++ = escape; break;
      case 'b': *to++ = '\b'; break;
      case 'f': *to++ = '\f'; break;
      case 'n': *to++ = '\n'; break;
      case 'r': *to++ = '\r'; break;
      case 't': *to++ = '\t'; break;
      case 'u':
        if (take_character(reader, &character)) {
          to = put_utf8(to, character);
          break;
        }
        // Falls through: half a character.
      default:
        free(text->ptr);
        return false;
    }
  }
  free(text->ptr);
  return false;
}

static bool skip_value(reader_t *reader) {
  size_t depth = 0;
  do {
    skip_space(reader);
    if (reader->at == reader->end) return false;
    automation_string_t text;
    switch (*reader->at) {
      case '"':
        if (!take_text(reader, &text)) return false;
        free(text.ptr);
        break;
      case '{': case '[': depth++; reader->at++; break;
      case '}': case ']': depth--; reader->at++; break;
      case ',': case ':': reader->at++; break;
      default:
        // A number, or a word: at least a byte, whatever it is.
        do reader->at++;
        while (reader->at < reader->end && strchr(" \t\r\n,:]}", *reader->at) == NULL);
    }
  } while (depth > 0);
  return true;
}

bool json_text(const automation_string_t *object, const char *name, automation_string_t *text) {
  reader_t reader = { object->ptr, object->ptr + object->len };
  if (!take(&reader, '{')) return false;
  do {
    automation_string_t member;
    if (!take_text(&reader, &member)) return false;
    bool found = member.len == strlen(name) && memcmp(member.ptr, name, member.len) == 0;
    free(member.ptr);
    if (!take(&reader, ':')) return false;
    if (found) return take_text(&reader, text);
  } while (skip_value(&reader) && take(&reader, ','));
  return false;
}
