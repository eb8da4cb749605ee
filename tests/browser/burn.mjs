// The site two people are connected to burns under their open chat. What they write in that moment arrives once, they
// stay signed in, and one calm line tells them what is going on. Then the site freezes, which is worse: it is silent.
//
//   HAECHI_URL          the site that burns; it must know at least one other active site
//   HAECHI_SITE_TITLES  the titles of the other sites, separated by commas
//   HAECHI_ARRIVES_WITHIN_MS  how long the message may take (12000)
//   HAECHI_TOPUP        as in journey.mjs
//   HAECHI_SCREENSHOTS, HAECHI_CHROMIUM  as in journey.mjs
//
// Whoever runs this holds the fire: the script prints `DO burn`, `DO restore`, `DO freeze` or `DO thaw`, and goes on when
// a line comes back on its standard input.
import { execFileSync } from 'node:child_process';
import { baseUrl, Person, run, same, step, until } from './browser.mjs';
import { fire } from './fire.mjs';
import { befriend, drawPhoto, randomPhone, signUp } from './people.mjs';

/** From the fire to the message at the other person: who only listens finds a silent site after 6.5 s; the rest is a slow machine. */
const ARRIVES_WITHIN_MS = Number(process.env.HAECHI_ARRIVES_WITHIN_MS ?? 12_000);
const others = (process.env.HAECHI_SITE_TITLES ?? '').split(',');

const BEFORE = 'See you at the station';
const SMOKE = 'I smell smoke, are you there?';
const ANSWER = '네, 다 잘 보여요';
const AGAIN = 'And once more, with the fire out';
const FROZEN = 'It is quiet here';

const calmLine = (person) => person.page.getByTestId('calm-line');

/** The line names one of the other sites. While nobody takes writes it speaks of that first. */
async function saysWhatGoesOn(person) {
  const start = person.say(
    'One of our data centres does not answer.',
    '데이터 센터 한 곳이 응답하지 않아요.',
  );
  await until('the calm line says where we are', async () => {
    const text = await calmLine(person).innerText();
    return text.startsWith(start) && others.some((title) => text.includes(title));
  });
}

const allIsWell = (person) =>
  until('the line is gone', async () => (await calmLine(person).innerText()) === '', 60_000);

/** The message is there once, at both, as something the server has. */
async function arrivedOnce(text, ...people) {
  for (const person of people) {
    await person.message(text).waitFor();
    await until(`${person.name} sees it as sent`, async () => {
      const state = await person.message(text).first().getAttribute('data-state');
      return state === 'sent' || state === null;
    });
    same(`copies at ${person.name}`, await person.message(text).count(), 1);
  }
}

/** What `work` took; fails when it is longer than a person would bear. */
async function quickly(work) {
  const began = Date.now();
  await work();
  const took = Date.now() - began;
  if (took > ARRIVES_WITHIN_MS) throw new Error(`took ${took} ms, wanted ${ARRIVES_WITHIN_MS}`);
  return took;
}

const knownSites = (person) =>
  person.page.evaluate(() => JSON.parse(localStorage.getItem('haechi.sites') ?? '{}'));
const isSignedIn = (person) => person.page.evaluate(() => localStorage.getItem('haechi.session') !== null);

await run(async (browser, people) => {
  const a = await Person.open(browser, {
    name: 'Haneul',
    phone: randomPhone(),
    locale: 'en-GB',
    viewport: { width: 390, height: 844 },
    touch: true,
  });
  const b = await Person.open(browser, {
    name: '김바다',
    phone: randomPhone(),
    locale: 'ko-KR',
    viewport: { width: 1280, height: 800 },
  });
  people.push(a, b);

  await step('both sign up at the same site, and become friends', async () => {
    for (const person of people) await signUp(person);
    await befriend(a, b);
    await befriend(b, a);
  });
  await step('A is topped up', () => {
    const env = { ...process.env, HAECHI_PHONE_A: a.phone };
    execFileSync('sh', ['-c', process.env.HAECHI_TOPUP], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  });
  await step('they chat, and nothing is said about sites', async () => {
    await a.button(b.name, b.name).click();
    await a.button('Chat', '채팅').click();
    await b.tab('Chats', '채팅');
    await a.write(BEFORE);
    await b.page.getByTestId('chat-row').filter({ hasText: BEFORE }).click();
    await arrivedOnce(BEFORE, a, b);
    for (const person of people) same('the line', await calmLine(person).innerText(), '');
  });
  await step('the app knows the other sites, and is kept on the device', async () => {
    for (const person of people) {
      await until('the list of sites', async () => (await knownSites(person)).sites?.length > others.length);
      await person.page.evaluate(() => navigator.serviceWorker.ready.then(() => null));
    }
  });

  await step('the site burns while A writes', async () => {
    await a.page.getByLabel('Message', { exact: true }).fill(SMOKE);
    await fire('burn');
    const took = await quickly(async () => {
      await a.button('Send', '보내기').click();
      await b.message(SMOKE).waitFor();
    });
    console.log(`   it arrived after ${took} ms`);
    await arrivedOnce(SMOKE, a, b);
  });
  await step('both are told calmly, in their language', async () => {
    for (const person of people) await saysWhatGoesOn(person);
    await a.axe('a chat on a detour');
    await a.picture('en-detour-phone');
    await b.axe('a chat on a detour, desktop');
    await b.picture('ko-detour-desktop');
  });
  await step('the answer arrives without a reload', async () => {
    await b.write(ANSWER);
    await arrivedOnce(ANSWER, a, b);
  });
  await step('a photo and money go through too', async () => {
    await a.button('Photos, files and money', '').click();
    await a.page.getByLabel('Photo', { exact: true }).setInputFiles(await drawPhoto(a.page));
    const photo = b.page.getByRole('img', { name: 'evening.png' });
    await photo.waitFor();
    await until('the photo is drawn', () => photo.evaluate((image) => image.naturalWidth > 0));
    await a
      .button('Photos, files and money', '')
      .click()
      .catch(() => null);
    await a.button('Send money', '송금').click();
    const dialog = a.page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Add ₩5,000' }).click();
    await dialog.getByRole('button', { name: 'Next' }).click();
    await dialog.getByRole('button', { name: 'Send ₩5,000' }).click();
    await dialog.waitFor({ state: 'hidden' });
    const card = b.page.getByTestId('transfer-card').filter({ hasText: '5,000원' });
    await card.waitFor();
    same('cards', await card.count(), 1);
  });
  await step('the app starts again though the site it came from is gone', async () => {
    await a.page.reload();
    await arrivedOnce(SMOKE, a);
    await saysWhatGoesOn(a);
    if (!(await isSignedIn(a))) throw new Error('A was signed out');
  });

  await step('the site is back: the line goes, and the app goes home', async () => {
    await fire('restore');
    for (const person of people) await allIsWell(person);
    for (const person of people) same('where requests go', (await knownSites(person)).current, baseUrl);
    await a.write(AGAIN);
    await arrivedOnce(AGAIN, a, b);
  });

  await step('the site freezes: it takes the message and says nothing', async () => {
    await fire('freeze');
    const took = await quickly(async () => {
      await a.write(FROZEN);
      await b.message(FROZEN).waitFor();
    });
    console.log(`   it arrived after ${took} ms`);
    await arrivedOnce(FROZEN, a, b);
    await saysWhatGoesOn(a);
  });
  await step('it thaws and does what it was told while frozen: still once', async () => {
    await fire('thaw');
    for (const person of people) await allIsWell(person);
    for (const person of people) {
      await person.page.reload();
      await arrivedOnce(FROZEN, person);
      await arrivedOnce(SMOKE, person);
      if (!(await isSignedIn(person))) throw new Error(`${person.name} was signed out`);
    }
  });
});
