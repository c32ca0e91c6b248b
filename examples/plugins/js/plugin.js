// Greets a person by message.

import * as log from "zelo:automation/log@0.1.0";
import * as messages from "zelo:automation/messages@0.1.0";
import { permanent } from "./failures.js";

/** The plugin: called once for each job, on a fresh instance. `call` is the `invocation` of wit/zelo-automation-0.1.0. */
export function run(call) {
  try {
    return greet(JSON.parse(call.input), call.event.id);
  } catch (error) {
    // A mistake of the plugin's own ends the run as a trap, which says nothing. The job's log says where it was.
    if (error.payload === undefined) log.write("error", `${error}\n${error.stack}`);
    throw error;
  }
}

function greet(input, event) {
  const to = text(input, "to");
  const name = text(input, "name").trim();
  if (name === "") throw permanent("the name is empty");

  log.write("info", `greeting for event ${event}`);
  const { channel } = send({ to, body: { tag: "text", val: `Olá, ${name}!` }, attachments: [], buttons: [] });
  return { code: "greeted", summary: `Saudação enviada por ${channel}` };
}

/** An input that must be a text. */
function text(input, name) {
  const value = input[name];
  if (typeof value !== "string") throw permanent(`the input \`${name}\` is not a text`);
  return value;
}

/**
 * Sends a message. What reaches the plugin is final: troubles that pass end the attempt, and zelo tries the job again.
 */
function send(message) {
  try {
    return messages.send(message);
  } catch ({ payload: { tag, val } }) {
    const said = { refused: "was refused", invalid: "is not valid", undeliverable: "cannot be delivered" }[tag];
    throw permanent(`the message ${said}: ${val}`);
  }
}
