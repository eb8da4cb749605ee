/** Starts the app. */
import { mount } from 'svelte';
import { registerSW } from 'virtual:pwa-register';
import App from './app/App.svelte';
import { language } from './i18n/i18n.svelte';
import { changeover } from './net/changeover.svelte';
import { reachability } from './net/reachability.svelte';
import { router } from './router/router.svelte';
import { session } from './session/session.svelte';
import './styles/base.css';
import { theme } from './theme/theme.svelte';

theme.apply();
language.apply();
session.watch();
reachability.watch();
changeover.start();
router.start();
mount(App, { target: document.getElementById('app')! });
registerSW({ immediate: true });
