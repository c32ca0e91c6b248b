// All that can be come to from the menu by links: what is answered there, and which forms stand there.

/** Of addresses that differ only in what they name, this many are looked at. */
const ALIKE_MAX = 8;
const ALL_MAX = 400;

const plain = (text) => text.replaceAll("&amp;", "&").replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">");
const attribute = (tag, name) => plain(tag.match(new RegExp(`\\s${name}="([^"]*)"`))?.[1] ?? "");
const tags = (html, name) => html.match(new RegExp(`<${name}\\b[^>]*>`, "g")) ?? [];

/** Addresses that differ in what they name alone have the same. */
function shape({ pathname, searchParams }) {
  const path = pathname.split("/").map((part) => (/[0-9]/.test(part) || part.length > 24 ? "*" : part)).join("/");
  return `${path}?${[...searchParams.keys()].sort().join("&")}`;
}

/** Goes through all of it with the cookies of `context`, from `starts`. By address: {status, type, text, posts, from}. */
export async function crawl(context, base, starts) {
  const found = new Map();
  const alike = new Map();
  const waiting = starts.map((address) => ({ address, from: "the menu" }));
  while (waiting.length > 0 && found.size < ALL_MAX) {
    const { address, from } = waiting.shift();
    const url = new URL(address, base);
    const place = url.pathname + url.search;
    if (url.origin !== base || found.has(place)) continue;
    const count = alike.get(shape(url)) ?? 0;
    if (count >= ALIKE_MAX) continue;
    alike.set(shape(url), count + 1);
    const answer = await context.request.get(url.href);
    const type = answer.headers()["content-type"] ?? "";
    const text = await answer.text();
    const html = type.startsWith("text/html") ? text : "";
    const sent = tags(html, "form").filter((form) => attribute(form, "method").toLowerCase() === "post").map((form) => attribute(form, "action") || place);
    const posts = [...sent, ...tags(html, "button").map((button) => attribute(button, "formaction")).filter(Boolean)];
    found.set(place, { status: answer.status(), type, text, from, posts: [...new Set(posts.map((post) => new URL(post, url).pathname))] });
    const links = [...tags(html, "a").map((link) => attribute(link, "href")), ...tags(html, "(?:iframe|img)").map((link) => attribute(link, "src"))];
    waiting.push(...links.filter((link) => link && !link.startsWith("#")).map((link) => ({ address: new URL(link, url).href, from: place })));
  }
  return found;
}
