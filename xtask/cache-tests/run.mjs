// Runs the public HTTP cache tests, and those of later standards, against the cache at the address that is given. Prints one JSON object for each test.

import fetch from 'node-fetch'
import { runTests, getResults } from 'http-cache-tests/client/runner.mjs'
import { determineTestResult } from 'http-cache-tests/lib/display.mjs'
import tests from 'http-cache-tests/tests/index.mjs'
import surrogate from 'http-cache-tests/tests/surrogate-control.mjs'
import later from './later.mjs'

const [base, only] = process.argv.slice(2)
const suites = [...tests, surrogate, ...later]
const wanted = suites
  .map(suite => ({ ...suite, tests: suite.tests.filter(test => !only || test.id === only) }))
if (only) {
  // Shows what was sent and received.
  wanted.forEach(suite => suite.tests.forEach(test => { test.dump = true }))
}

await runTests(wanted, fetch, false, base)
const results = getResults()
for (const suite of wanted) {
  for (const test of suite.tests) {
    const result = results[test.id]
    if (result === undefined) continue
    const mark = determineTestResult(suites, test.id, results, !only)[2]
    console.log(JSON.stringify({
      id: test.id,
      kind: test.kind || 'required',
      later: later.includes(later.find(own => own.id === suite.id)),
      passed: mark === '✅' || mark === 'Y',
      why: Array.isArray(result) ? result[1] : 'what it depends on did not pass'
    }))
  }
}
process.exit(0)
