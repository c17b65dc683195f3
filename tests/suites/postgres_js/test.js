// Stands in for the suite's own runner of tests, which ends with the first failure. A test returns what it expects and what it got.

import { appendFileSync, readFileSync } from 'node:fs'
import { inspect } from 'node:util'

const outcomes = process.env.OUTCOMES
const wanted = process.env.OUTCOMES_ONLY && readFileSync(process.env.OUTCOMES_ONLY, 'utf8').split('\n')

// Like the suite's own 5 s, for a busy machine.
const LIMIT = 15
const names = new Map()
let last = Promise.resolve()
let open = 0

export function t(title, options, action) {
    if (typeof options === 'function') [options, action] = [{}, options]
    const again = names.get(title) ?? 0
    names.set(title, again + 1)
    const name = (again ? `${title} #${again + 1}` : title).replaceAll('\n', ' ')
    if (wanted && !wanted.includes(name)) return
    open += 1
    last = last.then(() => run(name, options.timeout ?? 0, action))
}

export const ot = t
export const nt = (title) => tell('skipped', title)

async function run(name, timeout, action) {
    let timer
    const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error('takes too long')), Math.max(timeout, LIMIT) * 1000)))
    try {
        const [expected, got] = await Promise.race([late, action().then((pair) => Promise.all(pair))])
        if (expected === got) tell('passed', name)
        else tell('failed', name, `${inspect(expected)} is expected, and is ${inspect(got)}`)
    } catch (error) {
        tell('failed', name, inspect(error))
    }
    clearTimeout(timer)
    open -= 1
    // What a test has left open must not keep the process.
    if (open === 0) setTimeout(() => process.exit(), 2000).unref()
}

function tell(outcome, name, why) {
    appendFileSync(outcomes, `${outcome} ${name}\n`)
    if (why !== undefined) appendFileSync(`${outcomes}.why`, `=== ${outcome} ${name}\n${why}\n`)
}

process.on('uncaughtException', (error) => appendFileSync(`${outcomes}.why`, `=== outside of a test\n${inspect(error)}\n`))
