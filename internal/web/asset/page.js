// What script adds to pages that work without it: answers while one types,
// progress that moves by itself, files that can be dropped.
const $ = (selector, root = document) => root.querySelector(selector)

// What went wrong is read out and seen first.
$('#wrong')?.focus()

// data-live: a search field whose answers, in the element that it names, follow
// what is typed.
for (const input of document.querySelectorAll('input[data-live]')) {
  const results = document.getElementById(input.dataset.live)
  let last = input.value, timer, running
  input.addEventListener('input', () => {
    clearTimeout(timer)
    timer = setTimeout(look, 120)
  })
  async function look() {
    if (input.value === last) return
    last = input.value
    running?.abort()
    running = new AbortController()
    const address = new URL(input.form.action)
    for (const [name, value] of new FormData(input.form)) address.searchParams.set(name, value)
    try {
      const answer = await fetch(address, { signal: running.signal })
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
      const fresh = page.getElementById(results.id)
      if (!answer.ok || !fresh) return
      results.replaceChildren(...fresh.childNodes)
      history.replaceState(null, '', address)
    } catch { /* a newer search took its place */ }
  }
  input.addEventListener('keydown', e => {
    if (e.key === 'ArrowDown') { $('a', results)?.focus(); e.preventDefault() }
  })
  results.addEventListener('keydown', e => {
    if (e.key !== 'ArrowDown' && e.key !== 'ArrowUp') return
    const all = [...results.querySelectorAll('a')], at = all.indexOf(document.activeElement)
    if (at < 0) return
    const next = at + (e.key === 'ArrowDown' ? 1 : -1)
    if (next < 0) input.focus()
    else all[Math.min(next, all.length - 1)].focus()
    e.preventDefault()
  })
}

// "/" goes to the search field, wherever one is.
document.addEventListener('keydown', e => {
  const field = $('input[data-live]')
  if (e.key !== '/' || !field || e.target.closest?.('input, textarea, select')) return
  field.focus(); field.select(); e.preventDefault()
})

// data-again: a part of the page that is asked for again every so many
// milliseconds, until it no longer says so.
async function again(part) {
  await new Promise(done => setTimeout(done, Number(part.dataset.again)))
  try {
    const answer = await fetch(location.href)
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById(part.id)
    if (answer.ok && fresh) { part.replaceWith(fresh); part = fresh }
  } catch { /* the service may be starting again */ }
  if (part.dataset.again) again(part)
}
for (const part of document.querySelectorAll('[data-again]')) again(part)

// data-drop: a form whose files may be dropped anywhere on it.
for (const form of document.querySelectorAll('form[data-drop]')) {
  const input = $('input[type=file]', form)
  for (const name of ['dragenter', 'dragover']) form.addEventListener(name, e => { e.preventDefault(); form.classList.add('over') })
  form.addEventListener('dragleave', e => { if (!form.contains(e.relatedTarget)) form.classList.remove('over') })
  form.addEventListener('drop', e => {
    e.preventDefault()
    form.classList.remove('over')
    if (!e.dataTransfer.files.length) return
    input.files = e.dataTransfer.files
    form.requestSubmit()
  })
}

// data-copy: a button that puts the text of an element on the clipboard.
for (const button of document.querySelectorAll('button[data-copy]')) {
  button.hidden = false
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim())
    button.textContent = button.dataset.said
  })
}

// data-print: a button that prints the page.
for (const button of document.querySelectorAll('button[data-print]')) {
  button.hidden = false
  button.addEventListener('click', () => print())
}
