// velocityjs: `node velocityjs.js FOLDER SECONDS CASE…`.
const fs = require('fs');
const Velocity = require('velocityjs');

const [folder, seconds, ...names] = process.argv.slice(2);
const read = (name) => fs.readFileSync(`${folder}/${name}`, 'utf8');
const context = JSON.parse(read('context.json'));
const escapes = { '"': '\\"', "'": "\\'", '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const util = { escapeJavaScript: (text) => String(text).replace(/["'\\\n\r\t]/g, (found) => escapes[found]) };

class Input {
  constructor(body) {
    this.body = body;
  }
  // Plain steps only, which is all that the templates ask: a library of JSONPath would cost more.
  path(path) {
    this.document ??= JSON.parse(this.body);
    return path.split('.').slice(1).reduce((value, name) => value?.[name], this.document);
  }
  json(path) {
    return JSON.stringify(this.path(path));
  }
}

for (const name of names) {
  const body = read(`${name}.json`);
  const tree = Velocity.parse(read(`${name}.vtl`));
  const render = () => new Velocity.Compile(tree).render({ input: new Input(body), util, context });
  fs.writeFileSync(`${folder}/${name}.velocityjs`, render());
  const spent = (since) => {
    const used = process.cpuUsage(since);
    return (used.user + used.system) * 1000;
  };
  let begin = process.cpuUsage();
  while (spent(begin) < seconds * 1e9) render();
  begin = process.cpuUsage();
  let renders = 0;
  let used = 0;
  while (used < seconds * 1e9) {
    for (let i = 0; i < 5; i++) render();
    renders += 5;
    used = spent(begin);
  }
  console.log(`${name} ${renders} ${used}`);
}
