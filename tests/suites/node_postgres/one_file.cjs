// Loaded before a file of the suite: stands in for its own runner of tests, test/suite.js, which ends with the first failure.

'use strict'
const { appendFileSync } = require('node:fs')
const Module = require('node:module')
const path = require('node:path')

const file = process.env.TEST_FILE
const outcomes = process.env.OUTCOMES
const LIMIT = 15_000

// Tests that were told of and have not ended, in their order; each name once.
const open = new Set()
const names = new Map()

function tell(outcome, name, why) {
    open.delete(name)
    appendFileSync(outcomes, `${outcome} ${file}::${name}\n`)
    if (outcome !== 'failed') return
    process.exitCode = 1
    appendFileSync(`${outcomes}.why`, `=== failed ${file}::${name}\n${why && why.stack ? why.stack : why}\n`)
}

class Suite {
    constructor() {
        this.last = Promise.resolve()
    }

    test(title, action) {
        const again = names.get(title) ?? 0
        names.set(title, again + 1)
        const name = again ? `${title} #${again + 1}` : title
        open.add(name)
        this.last = this.last.then(() => this.run(name, action))
    }

    async run(name, action) {
        if (!action) return tell('skipped', name)
        let timer
        const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error('takes too long')), LIMIT)))
        try {
            await Promise.race([late, finished(action)])
            tell('passed', name)
        } catch (error) {
            tell('failed', name, error)
        }
        clearTimeout(timer)
    }
}

// An action calls back, or returns a promise, or is through when it returns.
function finished(action) {
    if (!action.length) return action()
    return new Promise((resolve, reject) => action((error) => (error ? reject(error) : resolve())))
}

// The process may end by itself, or be ended by what a test throws outside of its promise.
process.on('exit', () => {
    for (const name of [...open]) tell('failed', name, 'did not end')
})

const load = Module._load
Module._load = function (request, parent, ...rest) {
    const ours = request.endsWith('/suite') && path.basename(path.dirname(path.resolve(path.dirname(parent.filename), request))) === 'test'
    return ours ? Suite : load.call(this, request, parent, ...rest)
}
