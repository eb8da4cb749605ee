/**
 * The server's nouns under short names. They are taken from the paths of the generated OpenAPI types, so a
 * change on the server that breaks the app is found by `npm run check`.
 */
import type { paths } from './schema.gen';

type Json<T> = T extends { content: { 'application/json': infer Body } } ? Body : never;
type Answers<Path extends keyof paths, Method extends keyof paths[Path]> = paths[Path][Method] extends {
  responses: infer R;
}
  ? R
  : never;
type Answer<
  Path extends keyof paths,
  Method extends keyof paths[Path],
  Status extends keyof Answers<Path, Method>,
> = Json<Answers<Path, Method>[Status]>;

export type Session = Answer<'/api/identity/sessions', 'post', 201>;
export type Person = Answer<'/api/identity/me', 'get', 200>;
export type CodeRequest = Answer<'/api/identity/codes', 'post', 201>;
export type Device = Answer<'/api/identity/sessions', 'get', 200>['items'][number];
export type Friend = Answer<'/api/chat/friends', 'post', 201>;
export type Wallet = Answer<'/api/pay/wallet', 'get', 200>;
export type Entry = Answer<'/api/pay/entries', 'get', 200>['items'][number];
export type Transfer = Answer<'/api/pay/transfers', 'post', 201>;
export type LiveSites = Answer<'/api/continuity/sites', 'get', 200>;
export type LiveSite = LiveSites['sites'][number];
export type Drill = Answer<'/api/continuity/drills', 'get', 200>['items'][number];
export type Incident = Answer<'/api/continuity/incidents', 'get', 200>['items'][number];
export type Money = Wallet['balance'];

export type TransferRequest = NonNullable<
  paths['/api/pay/transfers']['post']['requestBody']
>['content']['application/json'];
