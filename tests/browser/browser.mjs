// What the journey stands on: the browser, a person in it, waiting for things, axe, and screenshots.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import axe from '@axe-core/playwright';
import { chromium } from 'playwright-core';

const AxeBuilder = axe.default ?? axe;
export const baseUrl = (process.env.HAECHI_URL ?? 'http://127.0.0.1:8480').replace(/\/$/, '');
const PATIENCE_MS = 20_000;

/** The step that runs now, for the message when it fails. */
let current = 'start';
export const currentStep = () => current;

export async function step(name, work) {
  current = name;
  const began = Date.now();
  const result = await work();
  console.log(`ok ${name} (${Date.now() - began} ms)`);
  return result;
}

/** Asks `look` until it says something true. */
export async function until(what, look, patienceMs = PATIENCE_MS) {
  const deadline = Date.now() + patienceMs;
  let last;
  while (Date.now() < deadline) {
    try {
      const found = await look();
      if (found) return found;
      last = found;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited ${patienceMs} ms for: ${what} (last: ${last})`);
}

export function same(what, found, wanted) {
  if (found !== wanted)
    throw new Error(`${what}: found ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`);
}

/** The path of a program that is given by path or by name. */
function findProgram(name) {
  if (name.includes('/')) return name;
  const found = (process.env.PATH ?? '').split(':').map((folder) => join(folder, name));
  return found.find((path) => existsSync(path)) ?? name;
}

export function launch() {
  return chromium.launch({
    executablePath: findProgram(process.env.HAECHI_CHROMIUM ?? 'chromium'),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** One person with a browser of their own. */
export class Person {
  static async open(browser, { name, phone, locale, viewport, touch = false }) {
    const context = await browser.newContext({ baseURL: baseUrl, locale, viewport, hasTouch: touch });
    context.setDefaultTimeout(PATIENCE_MS);
    const person = new Person();
    Object.assign(person, { name, phone, locale, context, page: await context.newPage(), faults: [] });
    person.page.on('pageerror', (error) => person.faults.push(String(error)));
    person.page.on('console', (message) => {
      if (message.type() === 'error') person.complaints.push(message.text());
    });
    person.complaints = [];
    return person;
  }

  /** The person's words for things: the app is Korean for one and English for the other. */
  say(english, korean) {
    return this.locale.startsWith('ko') ? korean : english;
  }

  button(english, korean, options = {}) {
    return this.page.getByRole('button', { name: this.say(english, korean), exact: true, ...options });
  }

  async tab(english, korean) {
    const pattern = new RegExp(`^${this.say(english, korean)}`);
    await this.page.getByRole('navigation').getByRole('link', { name: pattern }).click();
    const path = {
      Friends: '/friends',
      Chats: '/chats',
      Services: '/services',
      Wallet: '/wallet',
      Me: '/me',
    };
    await this.page.waitForURL((url) => url.pathname === path[english]);
  }

  /** The number the wallet shows. */
  async balance() {
    const text = await this.page.getByTestId('balance').innerText();
    return /\d/.test(text) ? Number(text.replace(/\D/g, '')) : null;
  }

  message(text) {
    return this.page.getByTestId('message').filter({ hasText: text });
  }

  async write(text) {
    await this.page.getByLabel(this.say('Message', '메시지'), { exact: true }).fill(text);
    await this.button('Send', '보내기').click();
  }

  /** Waits until what moves has come to rest; endless animations (dots, skeletons) are left to move. */
  settled() {
    return this.page.evaluate(async () => {
      const ending = document
        .getAnimations()
        .filter((animation) => animation.effect?.getComputedTiming().endTime !== Infinity);
      await Promise.allSettled(ending.map((animation) => animation.finished));
    });
  }

  /** Fails on anything axe finds. */
  async axe(where) {
    await this.settled();
    const { violations } = await new AxeBuilder({ page: this.page }).analyze();
    const found = violations.map(
      ({ id, help, nodes }) =>
        `${id}: ${help}\n    ${nodes.map((node) => node.html.slice(0, 200)).join('\n    ')}`,
    );
    if (found.length) throw new Error(`axe on ${where}:\n  ${found.join('\n  ')}`);
  }

  async picture(name) {
    const folder = process.env.HAECHI_SCREENSHOTS;
    if (!folder) return;
    mkdirSync(folder, { recursive: true });
    await this.settled();
    await this.page.screenshot({ path: join(folder, `${name}.png`) });
  }
}

/** Runs a journey to its end, and says where it failed and what the pages complained of. */
export async function run(journey) {
  const people = [];
  const browser = await launch();
  try {
    await journey(browser, people);
    for (const person of people) {
      if (person.faults.length)
        throw new Error(`errors in the page of ${person.name}: ${person.faults.join('; ')}`);
    }
    console.log('JOURNEY PASSED');
  } catch (error) {
    console.error(`JOURNEY FAILED at: ${current}\n${error.message}`);
    for (const [index, person] of people.entries()) {
      await person.picture(`failed-${index}`).catch(() => null);
      const complaints = [...person.faults, ...person.complaints.slice(-5)];
      if (complaints.length) console.error(`page of ${person.name} said: ${complaints.join(' | ')}`);
    }
    process.exitCode = 1;
  } finally {
    await browser.close();
    process.stdin.destroy();
  }
}
