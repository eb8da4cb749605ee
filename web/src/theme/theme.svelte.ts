/** Light, dark, or as the system says. The colours themselves are in styles/tokens.css. */
export type Theme = 'system' | 'light' | 'dark';

const STORAGE_KEY = 'haechi.theme';
const THEMES: readonly Theme[] = ['system', 'light', 'dark'];

class ThemeState {
  chosen = $state<Theme>(read());

  choose(theme: Theme): void {
    this.chosen = theme;
    localStorage.setItem(STORAGE_KEY, theme);
    this.apply();
  }

  apply(): void {
    document.documentElement.dataset.theme = this.chosen;
  }
}

function read(): Theme {
  const stored = localStorage.getItem(STORAGE_KEY) as Theme | null;
  return stored && THEMES.includes(stored) ? stored : 'system';
}

export const theme = new ThemeState();
