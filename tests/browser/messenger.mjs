// Two phones side by side use the messenger: photos, reactions, replies, edits, deleting, unread counts, search, a poll, a
// secret chat with comparing pictures and a recovery key, and notifications.
//
//   HAECHI_URL          where the server listens (http://127.0.0.1:8480)
//   HAECHI_SCREENSHOTS, HAECHI_CHROMIUM  as in journey.mjs
//
// Ends with 0 when every step passed, and with 1 and one clear message at the first that did not.
import { baseUrl, Person, run, same, step, until } from './browser.mjs';
import { befriend, drawPhoto, randomPhone, signUp } from './people.mjs';
import { deliverPush, feignPushService } from './push.mjs';

const HELLO = 'Shall we go to the sea on Saturday?';
const ANSWER = '바다 좋아요! 강릉역에서 만나요';
const REPLY = 'Then I will bring the rice cakes';
const TYPO = 'See you at nien';
const MENDED = 'See you at nine';
const REGRET = 'My door code is 1234';
const SECRET = 'The surprise is a cake, tell nobody';
const SECRET_ANSWER = '쉿, 아무한테도 말 안 할게요';

const open = (browser, name, locale) =>
  Person.open(browser, {
    name,
    phone: randomPhone(),
    locale,
    viewport: { width: 390, height: 844 },
    touch: true,
  });

/** Opens the menu of a message, as a person with a keyboard or a screen reader does. */
async function hold(person, text) {
  const menu = { name: person.say('Message options', '메시지 메뉴') };
  await person.message(text).first().getByRole('button', menu).press('Enter');
  const dialog = person.page.getByRole('dialog');
  await dialog.waitFor();
  return dialog;
}

async function choose(person, text, english, korean) {
  const dialog = await hold(person, text);
  await dialog.getByRole('button', { name: person.say(english, korean), exact: true }).click();
  await dialog.waitFor({ state: 'hidden' });
}

/** Goes back to the list of chats, from wherever the person is: through the chats they came by. */
async function toList(person) {
  const tabs = person.page.getByRole('navigation');
  await until('the list of chats', async () => {
    if (await tabs.isVisible()) return true;
    await person.button('Back', '뒤로').click();
    return false;
  });
  await person.tab('Chats', '채팅');
}

async function openChat(person, other, { secret = false } = {}) {
  await toList(person);
  const lock = person.page.getByRole('img', { name: person.say('Secret chat', '비밀 채팅') });
  const rows = person.page.getByTestId('chat-row').filter({ hasText: other.name });
  await rows
    .filter(secret ? { has: lock } : { hasNot: lock })
    .first()
    .click();
}

/** What the server holds of the newest events of the open chat. */
function eventsOnServer(person) {
  return person.page.evaluate(async () => {
    const room = location.pathname.split('/')[2];
    const token = JSON.parse(localStorage.getItem('haechi.session')).access_token;
    const answer = await fetch(`/_matrix/client/v3/rooms/${room}/messages?dir=b&limit=20`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    return (await answer.json()).chunk;
  });
}

const isDrawn = (image) => until('the photo is drawn', () => image.evaluate((one) => one.naturalWidth > 0));

async function talk(a, b) {
  await step('A writes, and sees that B has not read it', async () => {
    await a.button(b.name, b.name).click();
    await a.button('Chat', '채팅').click();
    await a.write(HELLO);
    const unread = a.message(HELLO).getByTestId('unread-by');
    await unread.waitFor();
    same('unread', await unread.innerText(), '1');
    await a.picture('messenger-unread');
  });
  await step('B reads it, and the number goes', async () => {
    await openChat(b, a);
    await b.message(HELLO).waitFor();
    await a.message(HELLO).getByTestId('unread-by').waitFor({ state: 'detached' });
  });
  await step('B answers', async () => {
    await b.write(ANSWER);
    await a.message(ANSWER).waitFor();
  });
  await step('A sends two photos at once, and B sees an album', async () => {
    await a.button('Photos, files and money', '').click();
    await a.axe('menu of the composer');
    const photo = await drawPhoto(a.page);
    const photos = [photo, { ...photo, name: 'morning.png' }];
    await a.page.getByLabel('Photo', { exact: true }).setInputFiles(photos);
    const album = b.page.getByTestId('album');
    await album.waitFor();
    for (const { name } of photos) await isDrawn(album.getByRole('img', { name }));
    await b.picture('messenger-album');
  });
  await step('B looks at the photos in full', async () => {
    await b.page
      .getByTestId('album')
      .getByRole('button', { name: /evening/ })
      .click();
    const viewer = b.page.getByRole('dialog');
    await isDrawn(viewer.getByRole('img'));
    await b.axe('viewer');
    await b.page.keyboard.press('ArrowRight');
    await viewer.getByRole('img', { name: 'morning.png' }).waitFor();
    await b.picture('messenger-viewer');
    await b.page.keyboard.press('Escape');
    await viewer.waitFor({ state: 'hidden' });
  });
  await step('B puts a heart under the message, and takes it back later', async () => {
    const dialog = await hold(b, HELLO);
    await b.axe('menu of a message');
    await b.picture('messenger-menu');
    await dialog.getByRole('button', { name: '하트' }).click();
    const heart = a.message(HELLO).getByTestId('reaction');
    await heart.waitFor();
    same('the sign', (await heart.innerText()).includes('❤️'), true);
    await a.picture('messenger-reaction');
    await b.message(HELLO).getByTestId('reaction').click();
    await heart.waitFor({ state: 'detached' });
  });
  await step('A replies, and B sees what to', async () => {
    await choose(a, ANSWER, 'Reply', '답장');
    await a.page.getByTestId('answering').waitFor();
    await a.write(REPLY);
    await b.message(REPLY).filter({ hasText: ANSWER }).waitFor();
    await b.picture('messenger-reply');
  });
  await step('A edits a message', async () => {
    await a.write(TYPO);
    await b.message(TYPO).waitFor();
    await a.message(TYPO).and(a.page.locator('[data-state="sent"]')).waitFor();
    await choose(a, TYPO, 'Edit', '수정');
    await a.write(MENDED);
    await b.message(MENDED).filter({ hasText: '수정됨' }).waitFor();
    same('the old words', await b.message(TYPO).count(), 0);
  });
  await step('A deletes a message for both', async () => {
    await a.write(REGRET);
    await b.message(REGRET).waitFor();
    await a.message(REGRET).and(a.page.locator('[data-state="sent"]')).waitFor();
    await choose(a, REGRET, 'Delete for all', '모두에게서 삭제');
    await b.message('삭제된 메시지예요').waitFor();
    same('the words', await b.message(REGRET).count(), 0);
    await a.message('Message deleted').waitFor();
  });
  await step('a reaction put without a network goes out when it is back', async () => {
    await a.context.setOffline(true);
    await a.page.getByText('You can read; what you write is sent when we are back.').waitFor();
    const dialog = await hold(a, ANSWER);
    await dialog.getByRole('button', { name: 'Thumbs up' }).click();
    await a.message(ANSWER).getByTestId('reaction').first().waitFor();
    await a.context.setOffline(false);
    await b.message(ANSWER).first().getByTestId('reaction').waitFor();
  });
  await step('B asks all, A votes, and both see the count', async () => {
    await b.button('', '사진, 파일, 송금').click();
    await b.button('', '투표').click();
    const dialog = b.page.getByRole('dialog');
    await dialog.getByLabel('질문').fill('몇 시에 만날까요?');
    await dialog.getByLabel('항목 1').fill('아홉 시');
    await dialog.getByLabel('항목 2').fill('열 시');
    await b.axe('new poll');
    await dialog.getByRole('button', { name: '투표 시작' }).click();
    const poll = a.page.getByTestId('poll');
    await poll.getByText('몇 시에 만날까요?').waitFor();
    await poll.getByRole('radio', { name: /아홉/ }).click();
    await until('the vote counts', async () =>
      (await b.page.getByTestId('poll').innerText()).includes('1명 참여'),
    );
    await a.axe('a poll');
    await a.picture('messenger-poll');
  });
  await step('B makes an announcement of it', async () => {
    await choose(b, HELLO, 'Make it an announcement', '공지로 올리기');
    await a.page.getByTestId('announcement').filter({ hasText: HELLO }).waitFor();
    await a.picture('messenger-announcement');
  });
}

async function search(a, b) {
  await step('A finds a word in the chat, from the middle of a Korean one', async () => {
    await a.button('Search this chat', '채팅방에서 검색').click();
    await a.page.getByRole('searchbox').fill('릉역');
    const found = a.page.getByTestId('found').getByRole('button').filter({ hasText: ANSWER });
    await found.first().waitFor();
    await a.axe('search in a chat');
    await found.first().click();
    await until('the message is in sight', () => a.message(ANSWER).first().isVisible());
    await a.picture('messenger-search-chat');
    await a.button('Close the search', '검색 닫기').click();
  });
  await step('B finds it in all chats, and gets there', async () => {
    await toList(b);
    await b.button('', '모든 채팅에서 검색').click();
    await b.page.getByRole('searchbox').fill('rice cakes');
    const found = b.page.getByTestId('found').getByRole('button').filter({ hasText: REPLY });
    await found.first().waitFor();
    await b.axe('search in all chats');
    await b.picture('messenger-search-all');
    await found.first().click();
    await b.message(REPLY).waitFor();
    await b.button('', '뒤로').click();
    await b.button('', '모든 채팅에서 검색').click();
    await b.page.getByTestId('chat-row').first().waitFor();
  });
}

async function secret(a, b) {
  await step('A begins a secret chat, and B accepts', async () => {
    await a.button('Chat options', '채팅방 메뉴').click();
    const dialog = a.page.getByRole('dialog');
    await a.axe('chat options');
    await dialog.getByRole('button', { name: 'Secret chat' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await a.page.getByTestId('secret-line').waitFor();
    await a.page.getByText('You can write as soon as').waitFor();
    const invite = b.page.getByTestId('chat-invite').filter({ hasText: '비밀 채팅' });
    await invite.waitFor();
    await b.axe('an invitation to a secret chat');
    await invite.getByRole('button', { name: '수락' }).click();
    await b.page.getByTestId('secret-line').waitFor();
  });
  await step('they write, and the server cannot read it', async () => {
    await b.write(SECRET_ANSWER);
    await a.message(SECRET_ANSWER).waitFor();
    await a.write(SECRET);
    await b.message(SECRET).waitFor();
    await a.axe('a secret chat');
    await a.picture('messenger-secret');
    const events = await eventsOnServer(a);
    same('sealed events', events.filter((event) => event.type === 'm.room.encrypted').length >= 2, true);
    const raw = JSON.stringify(events);
    for (const words of [SECRET, SECRET_ANSWER])
      same(`the server reads “${words}”`, raw.includes(words), false);
  });
  await step('a photo goes sealed too, and B sees it', async () => {
    await a.button('Photos, files and money', '').click();
    await a.page.getByLabel('Photo', { exact: true }).setInputFiles(await drawPhoto(a.page));
    await isDrawn(b.page.getByRole('img', { name: 'evening.png' }));
  });
  await step('it can still be read after a reload', async () => {
    await b.page.reload();
    await b.message(SECRET).waitFor();
  });
  await step('they compare pictures', async () => {
    await a.button('Verify', '확인하기').click();
    await b.button('', '비교하기').click();
    const pictures = async (person) =>
      (await person.page.getByTestId('sas').locator('.picture').allInnerTexts()).join();
    for (const person of [a, b]) await person.page.getByTestId('sas').waitFor();
    await a.axe('comparing pictures');
    await a.picture('messenger-sas');
    same('the pictures', await pictures(a), await pictures(b));
    await a.button('They are the same', '').click();
    await b.button('', '모두 같아요').click();
    for (const person of [a, b]) {
      await person.button('Done', '완료').click();
      await person.page.getByRole('dialog').waitFor({ state: 'hidden' });
    }
    await a.page.getByTestId('secret-line').getByText('Verified').waitFor();
  });
  await step('A makes a recovery key', async () => {
    await toList(a);
    await a.tab('Me', '나');
    await a.page.getByRole('link', { name: 'Secrets and blocked people' }).click();
    await a.button('Make a recovery key', '').click();
    await a.page.getByTestId('recovery-key').waitFor();
    await a.axe('recovery key');
    await a.picture('messenger-recovery');
  });
}

async function notifications(a, b) {
  await step('A turns notifications on', async () => {
    await a.tab('Me', '나');
    await a.page.getByRole('link', { name: 'Notifications' }).click();
    await a.axe('notifications');
    const toggle = a.page.getByRole('switch', { name: 'Notifications on this device' });
    await toggle.click();
    await until('they are on', async () => (await toggle.getAttribute('aria-checked')) === 'true');
    const quiet = a.page.getByRole('switch', { name: 'Quiet hours' });
    await quiet.click();
    await until('quiet hours are kept', async () => (await quiet.getAttribute('aria-checked')) === 'true');
    await a.axe('notifications and quiet hours');
    await a.picture('messenger-notifications');
  });
  await step('a push is shown, with who wrote what', async () => {
    const push = {
      room_id: '!r:h',
      room_name: b.name,
      sender_name: b.name,
      type: 'm.room.message',
      text: HELLO,
    };
    await deliverPush(a, push);
    await until('the notification', () =>
      a.page.evaluate(async (words) => {
        const registration = await navigator.serviceWorker.ready;
        return (await registration.getNotifications()).some((shown) => shown.body === words);
      }, HELLO),
    );
  });
}

await run(async (browser, people) => {
  const a = await open(browser, 'Haneul', 'en-GB');
  const b = await open(browser, '김바다', 'ko-KR');
  people.push(a, b);
  for (const person of people) {
    await person.context.grantPermissions(['notifications'], { origin: baseUrl });
    await feignPushService(person);
    person.page.on('dialog', (dialog) => dialog.accept());
  }
  // One by day, one by night.
  await b.page.emulateMedia({ colorScheme: 'dark' });
  await step('both sign up and become friends', async () => {
    for (const person of people) await signUp(person);
    await befriend(a, b);
    await befriend(b, a);
  });
  await talk(a, b);
  await search(a, b);
  await secret(a, b);
  await notifications(a, b);
});
