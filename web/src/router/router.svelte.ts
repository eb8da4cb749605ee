/** Where the person is in the app, by the History API. */
import { pathOf, routeOf, type Route } from './routes';

class Router {
  route = $state.raw<Route>(routeOf(location.pathname));
  /** How many steps back stay inside the app. */
  #depth = 0;

  start(): void {
    window.addEventListener('popstate', () => {
      this.#depth = Math.max(0, this.#depth - 1);
      this.route = routeOf(location.pathname);
    });
    document.addEventListener('click', (event) => this.#follow(event));
  }

  go(route: Route, how: 'push' | 'replace' = 'push'): void {
    const path = pathOf(route);
    if (how === 'replace' || path === location.pathname) history.replaceState(null, '', path);
    else {
      history.pushState(null, '', path);
      this.#depth += 1;
    }
    this.route = route;
  }

  /** One step back, or to `fallback` for a person who came by a deep link. */
  back(fallback: Route): void {
    if (this.#depth > 0) history.back();
    else this.go(fallback, 'replace');
  }

  /** Links are real links: a plain click stays in the app, a click with a key opens a new tab. */
  #follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey)
      return;
    const link = (event.target as Element | null)?.closest?.('a[href]');
    const href = link?.getAttribute('href');
    if (!href?.startsWith('/') || link?.hasAttribute('target') || link?.hasAttribute('download')) return;
    if (/^\/(api|_matrix|health)\//.test(href)) return;
    event.preventDefault();
    this.go(routeOf(href));
  }
}

export const router = new Router();
