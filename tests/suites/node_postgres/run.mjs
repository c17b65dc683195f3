// Runs the suite's files, each in a process of its own: `OUTCOME FILE` by its exit code, and `OUTCOME FILE::TEST` of each test in it
// (one_file.cjs).

import { spawnSync } from 'node:child_process'
import { appendFileSync, readdirSync, readFileSync } from 'node:fs'

const outcomes = process.env.OUTCOMES
const wanted = process.env.OUTCOMES_ONLY && readFileSync(process.env.OUTCOMES_ONLY, 'utf8').split('\n').map((test) => test.split('::')[0])

const files = readdirSync(process.argv[2], { recursive: true })
    .filter((file) => file.endsWith('-tests.js'))
    .map((file) => `${process.argv[2]}/${file}`)
    .filter((file) => !wanted || wanted.includes(file))
    .sort()

for (const file of files) {
    const runner = new URL('one_file.cjs', import.meta.url).pathname
    const run = spawnSync('node', ['--require', runner, file], { encoding: 'utf8', timeout: 30_000, env: { ...process.env, TEST_FILE: file } })
    const passed = run.status === 0
    appendFileSync(outcomes, `${passed ? 'passed' : 'failed'} ${file}\n`)
    if (!passed) appendFileSync(`${outcomes}.why`, `=== failed ${file}: ${run.status ?? run.signal}\n${run.stdout}\n${run.stderr}\n`)
}
