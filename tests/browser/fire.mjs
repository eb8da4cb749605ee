// What happens to a site is done by whoever runs the script: it reads `DO burn`, and answers with a line.
import { createInterface } from 'node:readline';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Has the runner do something to a site: `burn`, `restore`, `freeze` or `thaw`. */
export async function fire(deed) {
  console.log(`DO ${deed}`);
  const { done } = await lines.next();
  if (done) throw new Error(`nobody did: ${deed}`);
}
