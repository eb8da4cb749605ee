// What the journeys of matrix-js-sdk share: who they are, how they sign in, and how a step is held against what it should
// have brought.
//
//   HAECHI_URL              where the server listens
//   HAECHI_USER_A, _B       the user ids of two people
//   HAECHI_PASSWORD         the password of both
import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from 'matrix-js-sdk';
import { logger } from 'matrix-js-sdk/lib/logger.js';

// The client is written for Node 22 and browsers; this is the one thing that Node 20 lacks.
Promise.withResolvers ??= () => {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
};
// It tells about every request; what fails here is told by the step. Its calls write to children of its own logger.
const silence = () => undefined;
logger.methodFactory = () => silence;
logger.rebuild();
const quiet = { trace: silence, debug: silence, info: silence, warn: silence, error: silence };
quiet.getChild = () => quiet;

const PATIENCE_MS = 30_000;

/** The clients that run, to be stopped at the end. */
const clients = [];
/** The step that runs now, for the message when it fails. */
let current = 'start';

export async function step(name, work) {
  current = name;
  const began = Date.now();
  const result = await work();
  console.log(`ok ${name} (${Date.now() - began} ms)`);
  return result;
}

/** Asks `look` until it says something true. The client has no event that tells all that is waited for. */
export async function until(what, look) {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    const found = await look();
    if (found) return found;
    await pause(20);
  }
  throw new Error(`waited ${PATIENCE_MS} ms for: ${what}`);
}

export function same(what, found, wanted) {
  const [left, right] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (left !== right) throw new Error(`${what}: found ${left}, wanted ${right}`);
}

/** Passes when the server refuses with this Matrix error. */
export async function refused(what, errcode, work) {
  const error = await work().then(
    () => null,
    (error) => error,
  );
  if (!error) throw new Error(`${what}: was not refused`);
  same(what, error.errcode ?? String(error), errcode);
}

function given(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

/** The user ids of the two people. */
export const users = () => [given('HAECHI_USER_A'), given('HAECHI_USER_B')];

/** What proves by the password that one is this user. */
export const passwordOf = (user, password = given('HAECHI_PASSWORD')) => ({
  type: 'm.login.password',
  identifier: { type: 'm.id.user', user },
  password,
});

export function logIn(user, password) {
  return createClient({ baseUrl: given('HAECHI_URL'), logger: quiet }).loginRequest({
    ...passwordOf(user, password),
    initial_device_display_name: 'js journey',
  });
}

/** Signs in on a new device. The client does not sync yet; it is stopped when the journey ends. */
export async function signIn(user, options = {}) {
  const session = await logIn(user);
  same('the user id of the login', session.user_id, user);
  const client = createClient({
    baseUrl: given('HAECHI_URL'),
    userId: session.user_id,
    accessToken: session.access_token,
    deviceId: session.device_id,
    timelineSupport: true,
    logger: quiet,
    ...options,
  });
  clients.push(client);
  return client;
}

/** Has a client sync until it knows the person's rooms. */
export async function startSync(client, options) {
  await client.startClient(options);
  await until('the first sync', () => client.isInitialSyncComplete());
}

/** Runs a journey: ends with 0 when every step passed, and with 1 and one clear message at the first that did not. */
export async function run(name, journey) {
  try {
    await journey();
    console.log(`the ${name} journey passed`);
  } catch (error) {
    console.error(`the ${name} journey failed at: ${current}\n${error.stack ?? error}`);
    process.exitCode = 1;
  }
  for (const client of clients) client.stopClient();
  // Its timers outlive it, and would hold Node for two minutes.
  process.exit();
}
