// Staff looks at the sites: who is no member of staff is kept out; a member sees each site, drains one and takes it back,
// and sees a site die and return, on a phone and on a desktop, in both languages, light and dark.
//
//   HAECHI_URL          the site the browsers connect to; it must know others, and the first of them burns
//   HAECHI_SITE_TITLES  the titles of the other sites, separated by commas; the first burns, the second is drained
//   HAECHI_GRANT        a shell command that makes the person with the number in HAECHI_PHONE an administrator
//   HAECHI_SCREENSHOTS, HAECHI_CHROMIUM  as in journey.mjs
//
// The fire is held by whoever runs this, as in burn.mjs.
import { execFileSync } from 'node:child_process';
import { Person, run, same, step, until } from './browser.mjs';
import { fire } from './fire.mjs';
import { randomPhone, signUp } from './people.mjs';

const [burns, drains] = (process.env.HAECHI_SITE_TITLES ?? '').split(',');

const card = (person, title) =>
  person.page.getByTestId('site').filter({ has: person.page.getByRole('heading', { name: title }) });
const isIn = (person, title, status) =>
  until(
    `${title} is ${status}`,
    async () => (await card(person, title).getAttribute('data-status')) === status,
    30_000,
  );

const incidentOf = (person) => person.page.getByTestId('incident').filter({ hasText: burns }).first();

async function choose(person, label) {
  await person.tab('Me', '나');
  await person.page.getByRole('radio', { name: label, exact: true }).check({ force: true });
}

async function openConsole(person) {
  await person.tab('Me', '나');
  await person.page.getByRole('link', { name: person.say('Data centres', '데이터 센터') }).click();
  // A node remembers for half a minute who somebody was.
  await person.page.getByTestId('site').first().waitFor({ timeout: 45_000 });
}

/** Files a report with the numbers that `haechi drill --json` tells, as an operator would. */
async function fileDrill(person) {
  const report = {
    fault: 'burn',
    site: 'pangyo',
    acknowledged: 8_412,
    lost: 0,
    duplicated: 0,
    write_stall_ms: { overall: 2_310, chat: 2_290, pay: 2_310, sign_in: 900, media: 2_200 },
    read_failures: 0,
    read_stall_ms: 420,
    signin_failures: 0,
    rejoin_s: 14.2,
    capacity_left: 0.93,
  };
  const status = await person.page.evaluate(async (body) => {
    const { access_token } = JSON.parse(localStorage.getItem('haechi.session'));
    const headers = {
      Authorization: `Bearer ${access_token}`,
      'Content-Type': 'application/json',
      'Idempotency-Key': crypto.randomUUID(),
    };
    const init = { method: 'POST', headers, body: JSON.stringify(body) };
    return (await fetch('/api/continuity/drills', init)).status;
  }, report);
  same('filing the drill', status, 201);
}

await run(async (browser, people) => {
  const phone = await Person.open(browser, {
    name: 'Haneul',
    phone: randomPhone(),
    locale: 'en-GB',
    viewport: { width: 390, height: 844 },
    touch: true,
  });
  const desktop = await Person.open(browser, {
    name: '김바다',
    phone: randomPhone(),
    locale: 'ko-KR',
    viewport: { width: 1280, height: 800 },
  });
  people.push(phone, desktop);
  for (const person of people) await step(`${person.name} signs up`, () => signUp(person));

  await step('who is no member of staff finds no way in, and is kept out', async () => {
    await phone.tab('Me', '나');
    same('links', await phone.page.getByRole('link', { name: 'Data centres' }).count(), 0);
    await phone.page.goto('/me/sites');
    await phone.page.getByText('This page is for staff').waitFor();
    await phone.axe('the console, kept out');
    await phone.page.evaluate(() => {
      // A role that was written into the page's own storage opens nothing: the server decides.
      const session = JSON.parse(localStorage.getItem('haechi.session'));
      session.person.role = 'administrator';
      localStorage.setItem('haechi.session', JSON.stringify(session));
    });
    await phone.page.reload();
    await phone.page.getByText('This page is for staff').waitFor();
    same('sites shown', await phone.page.getByTestId('site').count(), 0);
  });
  await step('both are made administrators', () => {
    for (const person of people) {
      const env = { ...process.env, HAECHI_PHONE: person.phone };
      execFileSync('sh', ['-c', process.env.HAECHI_GRANT], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    }
  });
  await step('staff sees every site answer', async () => {
    await openConsole(phone);
    await openConsole(desktop);
    for (const person of people) {
      for (const title of [burns, drains]) await isIn(person, title, 'well');
    }
    await phone.axe('console, phone, English, light');
    await phone.picture('console-en-phone');
    await desktop.axe('console, desktop, Korean, light');
    await desktop.picture('console-ko-desktop');
  });
  await step('a drill that was held shows its figures', async () => {
    await fileDrill(phone);
    for (const person of people) {
      await person.page.reload();
      await person.page.getByText(person.say('Burnt: Pangyo', '화재: Pangyo')).waitFor();
      await person.page.getByText(person.say('2.31 s', '2.31초'), { exact: true }).waitFor();
      await person.page.getByText('93%', { exact: true }).waitFor();
    }
    await desktop.axe('a drill');
    await desktop.picture('console-ko-drill');
    await phone.page.getByText('93%', { exact: true }).scrollIntoViewIfNeeded();
    await phone.picture('console-en-drill-phone');
  });
  await step('a site is drained after a question, and the other screen shows it', async () => {
    const drain = phone.button(`Drain ${drains}`, '');
    await card(phone, drains).getByRole('button').click();
    const dialog = phone.page.getByRole('dialog');
    await phone.axe('drain?');
    await phone.picture('console-en-drain');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await drain.waitFor();
    await drain.click();
    await dialog.getByRole('button', { name: 'Drain', exact: true }).click();
    await dialog.waitFor({ state: 'hidden' });
    await card(desktop, drains).getByRole('button', { name: /복귀/ }).waitFor();
    await card(desktop, drains).getByText('비', { exact: false }).first().waitFor();
    await desktop.axe('a drained site');
    await desktop.picture('console-ko-drained');
  });
  await step('it returns', async () => {
    await card(desktop, drains).getByRole('button', { name: /복귀/ }).click();
    await desktop.page.getByRole('dialog').getByRole('button', { name: '복귀', exact: true }).click();
    for (const person of people) await isIn(person, drains, 'well');
  });
  await step('a site burns, and both see it', async () => {
    await fire('burn');
    for (const person of people) await isIn(person, burns, 'silent');
    await choose(phone, 'Dark');
    await choose(phone, '한국어');
    phone.locale = 'ko-KR';
    await openConsole(phone);
    await isIn(phone, burns, 'silent');
    await phone.axe('a burnt site, phone, Korean, dark');
    await phone.picture('console-ko-dark-burnt');
    await choose(desktop, '어둡게');
    await choose(desktop, 'English');
    desktop.locale = 'en-GB';
    await openConsole(desktop);
    await isIn(desktop, burns, 'silent');
    await desktop.axe('a burnt site, desktop, English, dark');
    await desktop.picture('console-en-dark-burnt');
    // A site counts as lost after some seconds of silence.
    for (const person of people)
      await incidentOf(person).getByText(person.say('Still silent', '아직 응답 없음')).waitFor();
  });
  await step('it is back, and both see that too', async () => {
    await fire('restore');
    for (const person of people) await isIn(person, burns, 'well');
  });
  await step('the incident stands there with its length', async () => {
    for (const person of people) {
      const incident = incidentOf(person);
      await incident.getByText(/\d ?(s|min|초|분)$/).waitFor();
      await incident.scrollIntoViewIfNeeded();
    }
    await phone.axe('an incident, phone, Korean, dark');
    await phone.picture('console-ko-dark-incident');
  });
  await step('without a network the figures stay, and say how old they are', async () => {
    await desktop.context.setOffline(true);
    await desktop.page.getByText('No newer figures come in').waitFor();
    await desktop.axe('console without a network');
    await desktop.context.setOffline(false);
    await until(
      'fresh figures',
      async () => (await desktop.page.getByText('No newer figures come in').count()) === 0,
    );
  });
});
