// The reminder, in Portuguese, with the keyboard alone: from the link that signs in to the message that appears.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Keys, PHONE, launch, open, signIn, watch } from "./browser.mjs";
import { made } from "./fill.mjs";
import { Zelo } from "./zelo.mjs";

let zelo;
let browser;

before(async () => {
  zelo = await Zelo.start();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await zelo?.stop();
});

test("a clinic switches on the reminder, and sees it sent", async () => {
  const clinic = await made();
  for (const letter of clinic.known) await zelo.deliver(letter);
  const context = await open(browser, zelo);
  const page = await context.newPage();
  const faults = watch(page, zelo.base);
  const keys = new Keys(page);
  const menu = (name) => page.locator("nav").getByRole("link", { name, exact: true });
  const title = (name) => page.getByRole("heading", { level: 1, name, exact: true });

  await page.goto(await zelo.link());
  await keys.press(page.getByRole("button", { name: "Entrar" }), page.locator("nav"));

  // The first steps: where it comes from, a sample, and what the reminder would have done with it.
  await keys.press(page.locator("nav a[href='/start']"), page.locator("#connection"));
  await keys.to(page.locator("#connection"));
  await page.keyboard.type("Clinicarx");
  await keys.press(page.getByRole("button", { name: "Escolher", exact: true }), page.locator("#kind"));
  await keys.press(page.getByRole("button", { name: "Enviar um exemplo", exact: true }), page.getByText("O exemplo chegou."));
  await page.locator("#step-4 .arrivals li").first().waitFor();
  const rehearsal = page.locator("#step-6 .tried");
  await keys.press(page.getByRole("link", { name: "Ver o que faria: Lembrete de consulta" }), rehearsal);
  assert.match(await rehearsal.first().innerText(), /Evento que chegou em/);

  await keys.press(page.getByRole("link", { name: "Abrir e ligar" }), page.locator("#s-hours_before"));
  await keys.write(page.locator("#s-hours_before"), "48");
  await keys.press(page.getByRole("button", { name: "Ligar", exact: true }), page.locator("main .done"));
  assert.equal(await page.locator("#s-hours_before").inputValue(), "48");

  await keys.press(menu("Mensagens"), title("Mensagens"));
  await page.locator("main .empty").waitFor();
  await page.evaluate(() => { window.sameAsBefore = true; });
  // In less than the hours that were chosen, so the reminder goes out at once.
  await zelo.deliver(clinic.appointment(40 * 60));
  const message = page.locator("main li.bubble", { hasText: `sua consulta na ${clinic.clinic.name}` });
  await message.waitFor();
  assert.match(await message.innerText(), /Olá Clara/);
  assert.match(await page.locator("#news").innerText(), /Mensagem para/i);
  assert.equal(await page.evaluate(() => window.sameAsBefore), true, "the page was loaded again");
  assert.deepEqual(faults, []);
  await context.close();
});

test("the receipt is switched on and off again from a phone without script", async () => {
  const context = await open(browser, zelo, { viewport: PHONE, javaScriptEnabled: false });
  const page = await signIn(context, zelo);
  await page.locator(".menu summary").click();
  await page.locator("nav").getByRole("link", { name: "Automações", exact: true }).click();
  await page.locator("main").getByRole("link", { name: "Recibo do atendimento" }).click();
  await page.getByRole("button", { name: "Ligar", exact: true }).click();
  await page.locator("main .done").waitFor();
  await page.getByRole("link", { name: "Desligar" }).click();
  await page.getByRole("button", { name: "Desligar" }).click();
  await page.locator("main .done").waitFor();
  await page.getByRole("button", { name: "Ligar", exact: true }).waitFor();
  await context.close();
});
