// What people of every journey do: sign up, find each other, and take a photo.
import { randomInt } from 'node:crypto';

/** A Korean mobile number that exists nowhere but may. */
export const randomPhone = () => `+82102${String(randomInt(1e7)).padStart(7, '0')}`;

/** An evening over a hill, drawn by the browser, so that no file is needed. */
export async function drawPhoto(page) {
  const base64 = await page.evaluate(() => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 480 });
    const pen = canvas.getContext('2d');
    const sky = pen.createLinearGradient(0, 0, 0, 480);
    for (const [at, colour] of [
      [0, '#2d3a6e'],
      [0.55, '#f08a5d'],
      [0.8, '#ffd28a'],
    ])
      sky.addColorStop(at, colour);
    pen.fillStyle = sky;
    pen.fillRect(0, 0, 640, 480);
    pen.fillStyle = '#fff1cf';
    pen.beginPath();
    pen.arc(420, 290, 44, 0, 2 * Math.PI);
    pen.fill();
    for (const [colour, top, swing] of [
      ['#7a3b4a', 330, 60],
      ['#3b2338', 390, 40],
    ]) {
      pen.fillStyle = colour;
      pen.beginPath();
      pen.moveTo(0, 480);
      for (let x = 0; x <= 640; x += 8) pen.lineTo(x, top - swing * Math.sin(x / 110 + swing));
      pen.lineTo(640, 480);
      pen.fill();
    }
    return canvas.toDataURL('image/png').split(',')[1];
  });
  return { name: 'evening.png', mimeType: 'image/png', buffer: Buffer.from(base64, 'base64') };
}

export async function signUp(person) {
  const { page } = person;
  await page.goto('/');
  await page.getByLabel(person.say('Phone number', '전화번호')).fill(person.phone);
  await person.axe('sign-in');
  await person.picture(`sign-in-${person.locale}-${page.viewportSize().width}`);
  await person.button('Get a code', '인증번호 받기').click();
  await page.getByTestId('development-code').waitFor();
  await person.axe('code');
  await person.picture(`code-${person.locale}-${page.viewportSize().width}`);
  await page.getByTestId('development-code').click();
  await page.getByLabel(person.say('Your name', '이름')).fill(person.name);
  await person.axe('name');
  await person.button('Start', '시작하기').click();
  await page.getByRole('navigation').waitFor();
}

export async function befriend(person, other) {
  const { page } = person;
  await person.tab('Friends', '친구');
  await person.button('Add a friend', '친구 추가').first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox').fill(other.phone);
  await person.axe('add a friend');
  await dialog.getByRole('button', { name: person.say('Add', '추가'), exact: true }).click();
  await dialog.waitFor({ state: 'hidden' });
  await person.button(other.name, other.name).waitFor();
}
