// The style of the API's page, from 360 pixels up, light and dark.

export const STYLE = `:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
header, main { max-width: 54rem; padding: 1rem; }
nav { padding: 1rem; border-bottom: 1px solid var(--line); font-size: 13px; }
nav h2 { font-size: 13px; margin: .5rem 0 .25rem; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav a { text-decoration: none; }
h1 { margin: 0; font-size: 1.6rem; }
main > h2 { margin: 2.5rem 0 0; border-bottom: 2px solid var(--line); }
section { border-bottom: 1px solid var(--line); padding: .75rem 0; }
section:target { background: var(--soft); }
h3 { font-size: 1.05rem; margin: .25rem 0; font-family: ui-monospace, monospace; }
h4 { margin: .75rem 0 .25rem; font-size: .9rem; }
p, ul, dl { margin: .25rem 0; }
main ul { padding-left: 1.1rem; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; background: var(--soft); border-radius: 3px; }
code { padding: 0 .2em; }
pre { padding: .5rem; overflow-x: auto; }
i { opacity: .7; font-size: .9em; }
dl { display: grid; grid-template-columns: 3rem 1fr; gap: .25rem; }
dl.codes { display: block; }
dl.codes dd { margin-bottom: .5rem; }
dt { font-weight: 600; }
dt:target, dt:target + dd { background: var(--soft); }
dd { margin: 0; min-width: 0; }
@media (min-width: 60rem) {
  body { display: grid; grid-template: auto 1fr / 19rem 1fr; }
  nav { grid-area: 1 / 1 / 3; position: sticky; top: 0; height: 100vh; overflow-y: auto; border-right: 1px solid var(--line); border-bottom: 0; }
  header, main { grid-column: 2; padding: 1.5rem 2rem 0; }
  main { padding: 0 2rem 1.5rem; }
}
`;
