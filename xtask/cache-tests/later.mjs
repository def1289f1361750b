// What RFC 9111 and RFC 9213 say, in the form of the public tests: the edition of these that can be installed is older than both.

const pause = { setup: true, pause_after: true }

/// A test of two requests: the first is answered with these headers, the second comes from the cache or not.
function reuse (id, name, kind, headers, cached, ...more) {
  return {
    id,
    name,
    kind,
    browser_skip: true,
    depends_on: more,
    requests: [
      { response_headers: headers, ...pause },
      { expected_type: cached ? 'cached' : 'not_cached' }
    ]
  }
}

const TARGETED = 'CDN-Cache-Control'
const targeted = value => [TARGETED, value, false]
const general = value => ['Cache-Control', value]
const later = 10000

const age = (id, name, values, cached) => reuse(
  `later-age-${id}`,
  `Age: ${name}`,
  'required',
  [['Date', 0], ['Cache-Control', 'max-age=3600'], ...values.map(value => ['Age', value, false])],
  cached,
  'freshness-max-age-age'
)

const cdn = (id, name, kind, headers, cached, ...more) =>
  reuse(`targeted-${id}`, `Targeted: ${name}`, kind, headers, cached, ...more)

export default [
  {
    id: 'later-age',
    name: 'Age (RFC 9111, section 5.1)',
    tests: [
      age('word', 'a word is ignored', ['soon'], true),
      age('negative', 'a negative number is ignored', ['-7200'], true),
      age('fraction', 'a fraction is ignored', ['7200.5'], true),
      age('large', 'what is larger than 31 bits is old', ['2147483648'], false),
      age('larger', 'what is larger than 64 bits is old', ['99999999999999999999'], false),
      age('first-old', 'of a list the first member counts: old', ['7200, 0'], false),
      age('first-new', 'of a list the first member counts: new', ['0, 7200'], true),
      age('line-old', 'of lines the first one counts: old', ['7200', '0'], false),
      age('line-new', 'of lines the first one counts: new', ['0', '7200'], true),
      age('twice', 'the same twice is one', ['60, 60'], true)
    ]
  },
  {
    id: 'targeted',
    name: 'Targeted cache control (RFC 9213)',
    tests: [
      cdn('max-age', 'it makes a response fresh', 'optimal', [targeted('max-age=3600')], true, 'freshness-none'),
      cdn('large', 'as long as can be', 'optimal', [targeted('max-age=99999999999')], true, 'freshness-none'),
      cdn('unknown', 'beside a directive that nobody knows', 'optimal', [targeted('x, y=1, max-age=3600')], true, 'targeted-max-age'),
      cdn('parameter', 'with a parameter that nobody knows', 'optimal', [targeted('max-age=3600;x=1')], true, 'targeted-max-age'),
      cdn('over-short', 'it goes before a shorter time', 'optimal', [general('max-age=1'), targeted('max-age=3600')], true, 'targeted-max-age'),
      cdn('over-no-store', 'it goes before no-store', 'optimal', [general('no-store'), targeted('max-age=3600')], true, 'targeted-max-age'),
      cdn('over-private', 'it goes before private', 'optimal', [general('private'), targeted('max-age=3600')], true, 'targeted-max-age'),
      cdn('over-expired', 'it goes before a date that has passed', 'optimal', [['Expires', -later], ['Date', 0], targeted('max-age=3600')], true, 'targeted-max-age'),
      cdn('over-invalid', 'it goes before a date that is none', 'optimal', [['Expires', '0', false], ['Date', 0], targeted('max-age=3600')], true, 'targeted-max-age'),
      cdn('zero', 'zero is stale', 'required', [targeted('max-age=0')], false, 'targeted-max-age'),
      cdn('aged', 'the age counts', 'required', [['Date', 0], ['Age', '7200'], targeted('max-age=3600')], false, 'targeted-max-age'),
      cdn('zero-over-date', 'zero goes before a date to come', 'required', [['Expires', later], ['Date', 0], targeted('max-age=0')], false, 'targeted-max-age'),
      cdn('short-over-long', 'it goes before a longer time', 'required', [general('max-age=3600'), targeted('max-age=1')], false, 'targeted-max-age'),
      cdn('no-store', 'no-store goes before a time', 'required', [general('max-age=3600'), targeted('no-store')], false, 'freshness-none'),
      cdn('no-cache', 'no-cache goes before a time', 'required', [general('max-age=3600'), targeted('no-cache')], false, 'freshness-none'),
      cdn('private', 'private goes before a time', 'required', [general('max-age=3600'), targeted('private')], false, 'freshness-none'),
      cdn('broken', 'what is no dictionary is ignored', 'required', [general('no-store'), targeted('max-age=3600, &')], false, 'targeted-max-age'),
      cdn('broken-fresh', 'what is no dictionary leaves the rest alone', 'required', [general('max-age=3600'), targeted('no-store, &')], true, 'freshness-max-age'),
      cdn('capitals', 'keys have no capitals', 'required', [general('no-store'), targeted('Max-Age=3600')], false, 'targeted-max-age'),
      cdn('text', 'a number is no text', 'required', [general('no-store'), targeted('max-age="3600"')], false, 'targeted-max-age'),
      cdn('empty', 'an empty field is ignored', 'required', [general('max-age=3600'), targeted('')], true, 'freshness-max-age'),
      cdn('space', 'there is no space around =', 'required', [general('max-age=1'), targeted('max-age =3600')], false, 'targeted-max-age')
    ]
  }
]
