"""Drives Chromium over its debugging pipe: what the page of the stack looks like, and what it does. Called by stack.sh."""

import base64, concurrent.futures, datetime, fcntl, json, os, select, subprocess, sys, tempfile, time, urllib.request

PATIENCE_S = 60

# Elements whose text has a contrast below 4.5 to what is behind it (WCAG 2.2, 1.4.3).
FAINT = r"""(() => {
  const parse = (colour) => colour.match(/[\d.]+/g).map(Number);
  const over = (top, below) => { const a = top.length > 3 ? top[3] : 1; return [0, 1, 2].map((i) => top[i] * a + below[i] * (1 - a)); };
  const light = (rgb) => { const [r, g, b] = rgb.map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (element) => { if (!element) return [255, 255, 255];
    const own = parse(getComputedStyle(element).backgroundColor); return own.length > 3 && own[3] === 0 ? behind(element.parentElement) : over(own, behind(element.parentElement)); };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text; (text = walker.nextNode());) {
    const element = text.parentElement;
    if (!text.data.trim() || ['SCRIPT', 'STYLE'].includes(element.nodeName) || !element.getClientRects().length) continue;
    const style = getComputedStyle(element), back = behind(element);
    const colour = over(parse(element.closest('svg') ? style.fill : style.color), back);
    const [a, b] = [light(colour), light(back)].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) faint.push(`${contrast.toFixed(2)} ${text.data.trim().slice(0, 40)}`);
  }
  return faint;
})()"""

FOCUSABLE = "[...document.querySelectorAll('a[href], button, summary')].filter((e) => !e.hidden && e.checkVisibility())"


class Browser:
    def __init__(self, program, profile):
        (to_read, self.to), (self.answers, to_write) = os.pipe(), os.pipe()
        high = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (to_read, to_write)]
        wire = lambda: (os.dup2(high[0], 3), os.dup2(high[1], 4))
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={profile}"]
        self.process = subprocess.Popen([program, *arguments, "about:blank"], preexec_fn=wire, pass_fds=(3, 4, *high),
                                        stderr=subprocess.DEVNULL)
        for end in (to_read, to_write, *high):
            os.close(end)
        self.buffer, self.number, self.events, self.session = b"", 0, [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def receive(self, until):
        while b"\0" not in self.buffer:
            if not select.select([self.answers], [], [], max(0, until - time.monotonic()))[0]:
                return None
            octets = os.read(self.answers, 1 << 20)
            if not octets:
                sys.exit("the browser has ended")
            self.buffer += octets
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        os.write(self.to, json.dumps(message | ({"sessionId": self.session} if self.session else {})).encode() + b"\0")
        until = time.monotonic() + PATIENCE_S
        while (answer := self.receive(until)) is not None:
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)
        sys.exit(f"{method}: no answer")

    def value(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            sys.exit(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def until(self, what, expression):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if self.value(expression):
                return
            time.sleep(0.1)
        sys.exit(f"never happened: {what}")

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.until(f"{url} is loaded", f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    def press(self, key, code, text=""):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text)

    def look(self, scheme, width, path):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        picture = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture))

    def end(self):
        self.process.terminate()
        self.process.wait()


def expect(what, is_so, seen=""):
    if not is_so:
        sys.exit(f"not so: {what} {seen}")
    print(f"ok: {what}")


def post(url, body=b"", **fields):
    request = urllib.request.Request(url, data=body, headers={name.replace("_", "-"): value for name, value in fields.items()})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        return error.read()


def validate(url, key, address):
    return post(f"{url}/v1/validate", json.dumps({"email": address}).encode(), x_api_key=key, content_type="application/json")


def looks(browser, out, name):
    for scheme in ("light", "dark"):
        for width in (1280, 360):
            browser.look(scheme, width, f"{out}/stack-{name}-{scheme}-{width}.png")
            across = browser.value("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
            expect(f"{name}, {scheme}, {width} pixels: nothing lies beyond the edge", across[0] <= across[1], across)
            faint = browser.value(FAINT)
            expect(f"{name}, {scheme}, {width} pixels: all text has a contrast of 4.5", not faint, faint[:5])


def quiet(browser, url):
    asked = [event["params"]["request"]["url"] for event in browser.events if event.get("method") == "Network.requestWillBeSent"]
    others = [at for at in asked if not at.startswith((url, "data:", "about:"))]
    expect(f"nobody else is asked for anything ({len(asked)} requests)", asked and not others, others)
    loud = [event["params"] for event in browser.events if event.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled")]
    expect("the console is empty", not loud, loud[:3])


def empty(browser, out, url, key):
    browser.open(f"{url}/")
    expect("three commands can be copied", browser.value("document.querySelectorAll('button[data-copies]:not([hidden])').length") == 3)
    looks(browser, out, "empty")
    browser.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"], origin=url)
    browser.call("Page.bringToFront")
    browser.value("document.querySelector('button[data-copies]').click()")
    browser.until("the command is copied", "document.getElementById('news').textContent === 'Copied.'")
    copied = browser.value("navigator.clipboard.readText()")
    command = copied.replace("gp_…", key)
    answer = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=PATIENCE_S).stdout
    expect("the copied request is answered with a verdict", json.loads(answer)["verdict"] in ("accept", "review", "reject"), answer)
    message = browser.value("document.getElementById('messages-command').textContent")
    answer = subprocess.run(["sh", "-c", message], capture_output=True, text=True, timeout=PATIENCE_S).stdout
    expect("the copied message gets a disposition", "disposition" in json.loads(answer)["report"], answer)
    for section in ("verdicts", "messages"):
        browser.until(f"the section {section} fills by itself", f"document.querySelectorAll('#{section} tbody tr').length === 1")
    browser.until("the series is drawn", "document.querySelectorAll('#series figure svg').length >= 1")


def drive(url, key):
    """A flood, some of everything, and the scan that finds the flood."""
    names = ["ann@example.com", "info@example.net", "ann@gmial.com", "ann@mailinator.com", "ann@example.com\r\nBcc: x@example.org",
             f"ann@{'long-name-' * 5}.{'another-' * 6}x.example"]
    now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=5)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: validate(url, key, f"user{n}@throwaway.example"), range(700)))
    scanned = post(f"{url}/local/scan?now={now:%Y-%m-%dT%H:%M:%SZ}")
    expect("the scan finds the flood", json.loads(scanned)["alerts_opened"] == 1, scanned)
    for name in names:
        validate(url, key, name)
    session = "client_ip=203.0.113.66&helo=mail.attacker.example&mail_from=bounce@attacker.example&rcpt_to=ann@receiver.example"
    folder = "events/messages"
    for file in sorted(os.listdir(folder)):
        if file.endswith(".eml"):
            with open(f"{folder}/{file}", "rb") as message:
                post(f"{url}/local/inbound?{session}", message.read())


def keyboard(browser):
    browser.value("document.activeElement.blur(); scrollTo(0, 0); document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')")
    wanted = browser.value(f"{FOCUSABLE}.length")
    browser.value("window.reached = []")
    for _ in range(wanted):
        browser.press("Tab", 9)
        browser.value("reached.push([document.activeElement, getComputedStyle(document.activeElement).outlineStyle])")
    missed = browser.value(f"{FOCUSABLE}.filter((e, i) => !reached[i] || reached[i][0] !== e).map((e) => e.outerHTML.slice(0, 80))")
    expect(f"the tab key reaches all {wanted} controls, in the order of the page", 20 < wanted and not missed, missed[:3])
    unseen = browser.value("reached.filter(([, outline]) => outline === 'none').length")
    expect("whatever has the focus shows it", unseen == 0, unseen)


def live(browser, url, key):
    rows = "document.querySelectorAll('#verdicts tbody tr')"
    browser.value("""(() => { window.mark = {}; const why = [...document.querySelectorAll('#verdicts details[id$=-why]')][3];
      why.querySelector('summary').focus(); scrollTo(0, 0); window.why = why; why.scrollIntoView({ block: 'center' }); })()""")
    browser.press("Enter", 13, "\r")
    expect("a reason unfolds by the keyboard", browser.value("why.open && why.querySelector('li').getClientRects().length > 0"))
    top = browser.value("why.getBoundingClientRect().top")
    newest = browser.value(f"{rows}[0].id")
    validate(url, key, "live@example.org")
    browser.until("a new verdict comes by itself", f"{rows}[0].id !== '{newest}' && {rows}[0].textContent.includes('example.org')")
    kept = browser.value("Boolean(window.mark) && why.isConnected && why.open && document.activeElement === why.querySelector('summary')")
    expect("nothing was loaded anew; focus and what was unfolded stay", kept)
    moved = abs(browser.value("why.getBoundingClientRect().top") - top)
    expect("what was read did not move", moved < 2, moved)
    browser.until("it is announced", "/new row/.test(document.getElementById('news').textContent)")
    browser.value("document.getElementById('pause').click()")
    newest = browser.value(f"{rows}[0].id")
    validate(url, key, "paused@example.org")
    time.sleep(5)
    expect("while it is paused nothing changes", browser.value(f"{rows}[0].id") == newest)
    browser.value("document.getElementById('pause').click()")
    browser.until("it goes on", f"{rows}[0].id !== '{newest}'")


def busy(browser, out, url, key):
    drive(url, key)
    browser.open(f"{url}/")
    for what, selector in {"series with their expected range": "#series polygon.band", "an incident": "#incidents tbody tr .bad",
                           "where the incident lies": "#series rect.window", "findings": "#messages details li",
                           "an alert": "#incidents tbody td"}.items():
        expect(f"the page shows {what}", browser.value(f"document.querySelectorAll({json.dumps(selector)}).length > 0"))
    octets = browser.value("fetch('/').then((it) => it.text()).then((text) => new Blob([text]).size)")
    expect(f"the page has less than 80 kB ({octets})", octets < 80_000)
    keyboard(browser)
    live(browser, url, key)
    browser.value("document.querySelectorAll('#messages details[id$=-why]').forEach((it, index) => { it.open = index < 2; }); scrollTo(0, 0)")
    looks(browser, out, "busy")
    quiet(browser, url)
    link = browser.value("document.querySelector('#incidents a').href")
    browser.open(link)
    expect("the page of the incident has its chart", browser.value("document.querySelectorAll('svg .actual').length > 0"))
    looks(browser, out, "incident")
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.events.clear()
    browser.call("Page.navigate", url=f"{url}/")
    end = time.monotonic() + PATIENCE_S
    loads = 0
    while loads < 2 and time.monotonic() < end:
        event = browser.receive(end)
        browser.events += [event] if event else []
        loads += bool(event and event.get("method") == "Page.loadEventFired")
    expect("without script the browser asks again by itself", loads == 2, loads)


mode, program, out, url, key = sys.argv[1:]
with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
    browser = Browser(program, profile)
    try:
        {"empty": empty, "busy": busy}[mode](browser, out, url, key)
        quiet(browser, url)
    finally:
        browser.end()
