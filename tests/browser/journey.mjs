// Two people meet in the web app: they sign up, become friends, chat live, and one sends the other money.
//
//   HAECHI_URL          where the server listens (http://127.0.0.1:8480)
//   HAECHI_PHONE_A, _B  their phone numbers (random +8210xxxxxxxx otherwise)
//   HAECHI_TOPUP        a shell command that tops up A (it finds the number in HAECHI_PHONE_A); without it the script
//                       prints READY_FOR_TOPUP after A signed up and waits for a line on stdin
//   HAECHI_SCREENSHOTS  a folder for pictures
//   HAECHI_CHROMIUM     the browser: a path, or a name to be found in PATH (chromium)
//
// Ends with 0 when every step passed, and with 1 and one clear message at the first that did not.
import { execFileSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Person, run, same, step, until } from './browser.mjs';
import { befriend, drawPhoto, randomPhone, signUp } from './people.mjs';

const phones = {
  a: process.env.HAECHI_PHONE_A ?? randomPhone(),
  b: process.env.HAECHI_PHONE_B ?? randomPhone(),
};
const phone = { width: 390, height: 844 };
const desktop = { width: 1280, height: 800 };
const AMOUNT = 5_000;

const HELLO = 'Lunch near City Hall today?';
const ANSWER = '좋아요, 12시 반에 만나요!';
const UNDERGROUND = 'I am on the underground, wait for me';

async function topUp() {
  if (process.env.HAECHI_TOPUP) {
    const env = { ...process.env, HAECHI_PHONE_A: phones.a };
    execFileSync('sh', ['-c', process.env.HAECHI_TOPUP], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    return;
  }
  console.log('READY_FOR_TOPUP');
  const lines = createInterface({ input: process.stdin });
  await new Promise((resolve) => lines.once('line', resolve).once('close', resolve));
  lines.close();
}

/** What the wallet shows, once that is at least so much: at first it shows what it was told last. */
async function walletBalance(person, least = 0) {
  await person.tab('Wallet', '지갑');
  const shown = await until(`a balance of ${least} or more`, async () => {
    const balance = await person.balance();
    return balance !== null && balance >= least && String(balance);
  });
  return Number(shown);
}

/** Opens each page, in a way a person would, and has axe look at it. */
async function lookAround(person, mark) {
  const { page } = person;
  for (const [english, korean] of [
    ['Friends', '친구'],
    ['Services', '서비스'],
    ['Wallet', '지갑'],
    ['Me', '나'],
    ['Chats', '채팅'],
  ]) {
    await person.tab(english, korean);
    await page.getByRole('heading', { level: 1 }).first().waitFor();
    await until(
      'no list is loading',
      async () => (await page.getByRole('status', { name: /Loading|불러오는/ }).count()) === 0,
    );
    await person.axe(`${english} ${mark}`);
    await person.picture(`${mark}-${english.toLowerCase()}`);
  }
  await page.getByTestId('chat-row').first().click();
  await page.getByTestId('message').first().waitFor();
  await person.axe(`chat ${mark}`);
  await person.picture(`${mark}-chat`);
  for (const path of ['/me/devices', '/me/password', '/wallet/send']) {
    await page.goto(path);
    await page.getByRole('heading', { level: 1 }).first().waitFor();
    await person.axe(`${path} ${mark}`);
  }
  await page.goto('/chats');
  await page.getByTestId('chat-row').first().waitFor();
}

async function choose(person, label, role = 'radio') {
  await person.page.getByRole(role, { name: label, exact: true }).check({ force: true });
}

async function journey(browser, people) {
  const a = await Person.open(browser, {
    name: 'Haneul',
    phone: phones.a,
    locale: 'en-GB',
    viewport: phone,
    touch: true,
  });
  const b = await Person.open(browser, {
    name: '김바다',
    phone: phones.b,
    locale: 'ko-KR',
    viewport: desktop,
  });
  people.push(a, b);

  await step('A signs up on a phone, in English', () => signUp(a));
  await step('B signs up on a desktop, in Korean', () => signUp(b));
  await step('A is topped up', topUp);
  const before = await step('both see their balances', async () => {
    return { a: await walletBalance(a, AMOUNT), b: await walletBalance(b) };
  });
  await step('A and B become friends', async () => {
    await befriend(a, b);
    await befriend(b, a);
  });

  await step('A opens a chat with B', async () => {
    await a.button(b.name, b.name).click();
    await a.page.getByRole('dialog').waitFor();
    await a.axe('person card');
    await a.picture('en-person');
    await a.button('Chat', '채팅').click();
    await a.page.getByLabel('Message', { exact: true }).waitFor();
  });
  await step('a message from A arrives at B without a reload', async () => {
    await b.tab('Chats', '채팅');
    await a.write(HELLO);
    await b.page.getByTestId('chat-row').filter({ hasText: HELLO }).click();
    await b.message(HELLO).waitFor();
  });
  await step('A sees B write, and the answer', async () => {
    await b.page.getByLabel('메시지', { exact: true }).pressSequentially(ANSWER);
    await a.page.getByText(`${b.name} is writing`).waitFor();
    await b.page.keyboard.press('Enter');
    await a.message(ANSWER).waitFor();
  });
  await step('what B has read loses its number at A', () =>
    until(
      'no unread number',
      async () => (await a.page.getByRole('img', { name: /Not read yet/ }).count()) === 0,
    ),
  );
  await step('A sends a photo, and B sees it', async () => {
    await a.button('Photos, files and money', '').click();
    await a.axe('composer menu');
    await a.picture('en-chat-menu');
    await a.page.getByLabel('Photo', { exact: true }).setInputFiles(await drawPhoto(a.page));
    const photo = b.page.getByRole('img', { name: 'evening.png' });
    await photo.waitFor();
    await until('the photo is drawn', () => photo.evaluate((image) => image.naturalWidth > 0));
  });

  await step('A sends B money in the chat', async () => {
    await a
      .button('Photos, files and money', '')
      .click()
      .catch(() => null);
    await a.button('Send money', '송금').click();
    const dialog = a.page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Add ₩5,000' }).click();
    same('the amount', await dialog.getByLabel('Amount').inputValue(), '5,000');
    await a.axe('amount');
    await a.picture('en-amount');
    await dialog.getByRole('button', { name: 'Next' }).click();
    await dialog.getByLabel('Note (optional)').fill('For lunch');
    await a.axe('confirm');
    await a.picture('en-confirm');
    await dialog.getByRole('button', { name: 'Send ₩5,000' }).click();
    await dialog.waitFor({ state: 'hidden' });
  });
  await step('both see the card', async () => {
    await a.page
      .getByTestId('transfer-card')
      .filter({ hasText: '₩5,000' })
      .filter({ hasText: 'For lunch' })
      .waitFor();
    await b.page
      .getByTestId('transfer-card')
      .filter({ hasText: '5,000원' })
      .filter({ hasText: 'For lunch' })
      .waitFor();
    for (const person of [a, b]) same('cards', await person.page.getByTestId('transfer-card').count(), 1);
    await a.picture('en-chat-phone');
    await b.picture('ko-chat-desktop');
  });
  await step('the balances have moved', async () => {
    await a.button('Back', '뒤로').click();
    await a.tab('Wallet', '지갑');
    await until(`A has ${before.a - AMOUNT}`, async () => (await a.balance()) === before.a - AMOUNT);
    await a.page.getByTestId('entry').filter({ hasText: b.name }).filter({ hasText: '−₩5,000' }).waitFor();
    await b.tab('Wallet', '지갑');
    await until(`B has ${before.b + AMOUNT}`, async () => (await b.balance()) === before.b + AMOUNT);
    await b.page.getByTestId('entry').filter({ hasText: a.name }).filter({ hasText: '+5,000원' }).waitFor();
  });

  const c = await step('C signs up too, and A has them as a friend', async () => {
    const viewport = { width: 768, height: 1024 };
    const third = await Person.open(browser, {
      name: 'Noeul',
      phone: randomPhone(),
      locale: 'en-GB',
      viewport,
    });
    people.push(third);
    await signUp(third);
    await befriend(a, third);
    return third;
  });
  await step('A starts a chat of three', async () => {
    await a.tab('Chats', '채팅');
    await a.button('New chat', '새 채팅').click();
    for (const name of [b.name, c.name]) await choose(a, name, 'checkbox');
    await a.page.getByLabel('Name of the chat (optional)').fill('Picnic');
    await a.axe('new chat');
    await a.picture('en-new-chat');
    await a.button('Start the chat', '').click();
    await a.page.getByRole('heading', { name: 'Picnic' }).waitFor();
  });
  await step('B accepts, C declines, and what A says arrives', async () => {
    await b.tab('Chats', '채팅');
    await b.page.getByTestId('chat-invite').filter({ hasText: 'Picnic' }).waitFor();
    await b.axe('an invitation');
    await b.picture('ko-invite-desktop');
    await b.button('수락', '수락').click();
    await c.tab('Chats', '채팅');
    await c.button('Decline', '거절').click();
    await until(
      'the invitation is gone',
      async () => (await c.page.getByTestId('chat-invite').count()) === 0,
    );
    await a.write('Saturday at noon?');
    await b.message('Saturday at noon?').waitFor();
    await b.write('좋아요');
    await a.message('좋아요').waitFor();
    await a.picture('en-group-phone');
    await a.button('Back', '뒤로').click();
  });

  await step('without a network A reads, writes, and starts again from what is kept', async () => {
    await a.page.evaluate(() => navigator.serviceWorker.ready.then(() => null));
    await a.tab('Chats', '채팅');
    await a.page.getByTestId('chat-row').filter({ hasNotText: 'Picnic' }).click();
    await a.message(ANSWER).waitFor();
    await until('the chat is kept', () => kept(a.page));
    await a.context.setOffline(true);
    await a.page.getByText('You can read; what you write is sent when we are back.').waitFor();
    await a.write(UNDERGROUND);
    await a.message(UNDERGROUND).getByRole('img', { name: 'Waiting for the network' }).waitFor();
    await a.axe('chat without a network');
    await a.picture('en-chat-offline');
    await a.page.reload();
    await a.message(ANSWER).waitFor();
    await a.message(UNDERGROUND).waitFor();
  });
  await step('what A wrote goes out once when the network is back', async () => {
    await b.tab('Chats', '채팅');
    await b.page.getByTestId('chat-row').filter({ hasNotText: 'Picnic' }).click();
    await a.context.setOffline(false);
    await b.message(UNDERGROUND).waitFor();
    await until('A sees it as sent', async () => {
      const state = await a.message(UNDERGROUND).getAttribute('data-state');
      return state === 'sent';
    });
    for (const person of [a, b]) same('copies', await person.message(UNDERGROUND).count(), 1);
    await until(
      'the line is gone',
      async () => (await a.page.getByText('You can read; what you write').count()) === 0,
    );
    await a.button('Back', '뒤로').click();
  });

  await step('axe finds nothing, English and light, on a phone', () => lookAround(a, 'en-light-phone'));
  await step('A changes to dark and to Korean', async () => {
    await a.tab('Me', '나');
    await choose(a, 'Dark');
    await choose(a, '한국어');
    a.locale = 'ko-KR';
    await a.page.getByRole('heading', { level: 1, name: '나', exact: true }).waitFor();
    same('language', await a.page.evaluate(() => document.documentElement.lang), 'ko');
    const dark = await a.page.evaluate(() => getComputedStyle(document.documentElement).colorScheme);
    same('colours', dark, 'dark');
  });
  await step('axe finds nothing, Korean and dark, on a phone', () => lookAround(a, 'ko-dark-phone'));
  await step('axe finds nothing, Korean and light, on a desktop', () => lookAround(b, 'ko-light-desktop'));
  await step('axe finds nothing, English and dark, on a desktop', async () => {
    await b.tab('Me', '나');
    await choose(b, '어둡게');
    await choose(b, 'English');
    b.locale = 'en-GB';
    await lookAround(b, 'en-dark-desktop');
  });
  await step('A signs out and is at the way in', async () => {
    await a.tab('Me', '나');
    await a.button('Sign out', '로그아웃').click();
    await a.page.getByLabel('전화번호').waitFor();
    same('kept session', await a.page.evaluate(() => localStorage.getItem('haechi.session')), null);
  });
}

/** Whether the open chat has been written to the app's own database. */
function kept(page) {
  return page.evaluate(
    () =>
      new Promise((resolve) => {
        const opening = indexedDB.open('haechi');
        opening.onsuccess = () => {
          const keys = opening.result.transaction('cache').objectStore('cache').getAllKeys();
          keys.onsuccess = () => {
            opening.result.close();
            resolve(
              ['chats', 'friends', 'wallet'].every((key) => keys.result.includes(key)) &&
                keys.result.some((key) => String(key).startsWith('chat !')),
            );
          };
        };
      }),
  );
}

await run(journey);
