import { render } from 'preact';
import { html } from 'htm/preact';
import { Page } from './page.js';
import { start } from './store.js';

const root = document.getElementById('page');
root.textContent = '';
render(html`<${Page} />`, root);
start();
