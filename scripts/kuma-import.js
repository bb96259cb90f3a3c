#!/usr/bin/env node
// kuma-import.js [-u USER] FILE URL - the monitors that FILE defines become monitors of the Uptime Kuma at URL
//
// What always holds: a monitor whose name is there already stays as it is; the password comes by standard input, never
// by an argument; standard output has the settings of the push monitors, and nothing else.
//
// Kuma's own import (Settings, Backup) forgets what a JSON query asks for, and newer releases have none: here the
// monitors are added one by one, as its page does it.
"use strict";

const { randomBytes } = require("crypto");
const { execFileSync } = require("child_process");
const fs = require("fs");

const usage = `usage: kuma-import.js [-u USER] FILE URL

Adds the monitors in FILE to the Uptime Kuma at URL, and prints the settings for
its push monitors. A new Kuma gets its account first. The password is a line of
standard input. To be run in the directory where Kuma is installed.

  -u, --user USER  the account (admin)
  -h, --help       this text
`;

// what every monitor of ours has; columns that came with Kuma 2.0 are unknown before
const common = { method: "GET", accepted_statuscodes: ["200"], maxredirects: 0, resendInterval: 0 };
const since2 = { conditions: [], jsonPathOperator: "==" };
const isOld = version => /^1\.|^2\.0\.0-dev/.test(version);

function die(status, text) {
	process.stderr.write(`kuma-import.js: ${text}\n`);
	process.exit(status);
}

function operands() {
	const args = process.argv.slice(2);
	let user = "admin";

	for (; args.length > 0 && args[0].startsWith("-"); args.shift())
		if (args[0] === "-h" || args[0] === "--help") {
			process.stdout.write(usage);
			process.exit(0);
		} else if (args[0] === "-u" || args[0] === "--user") {
			args.shift();
			user = args[0];
		} else
			break;
	if (args.length !== 2 || !user || !/^https?:\/\//.test(args[1])) {
		process.stderr.write(usage);
		process.exit(64);
	}
	return { user, file: args[0], url: args[1].replace(/\/+$/, "") };
}

function definition(file) {
	let text;

	try {
		text = fs.readFileSync(file, "utf8");
	} catch (e) {
		die(66, `${file}: cannot read: ${e.code}`);
	}
	try {
		return JSON.parse(text);
	} catch (e) {
		die(65, `${file}: ${e.message}`);
	}
}

// a shell can switch a terminal's echo off, and reads no further than the line's end
function password() {
	return execFileSync("/bin/sh", ["-c", `
		if [ -t 0 ]; then printf 'Password: ' >&2; trap 'stty echo; echo >&2' EXIT INT TERM; stty -echo; fi
		IFS= read -r line; printf %s "$line"`], { stdio: ["inherit", "pipe", "inherit"], encoding: "utf8" });
}

function connect(url) {
	let io;

	try {
		io = require(require.resolve("socket.io-client", { paths: [process.cwd()] })).io;
	} catch {
		die(78, "no socket.io-client here: run it in the directory where Uptime Kuma is installed");
	}
	const socket = io(url, { transports: ["websocket"], reconnection: false });
	socket.on("connect_error", e => die(69, `${url}: ${e.message}; is Kuma running, and has it a database?`));
	socket.on("disconnect", why => die(69, `${url}: ${why}`));
	return socket;
}

async function main() {
	const { user, file, url } = operands();
	const monitors = definition(file);
	const secret = password();
	const socket = connect(url);
	const ask = (...words) => socket.timeout(30000).emitWithAck(...words).catch(() => die(69, `${url}: no answer`));
	const heard = event => new Promise(resolve => socket.once(event, resolve));
	const granted = (what, answer) => answer.ok ||
		die(77, `${what}: ${answer.msg || "refused"}${answer.tokenRequired ? ": the account has a second factor" : ""}`);

	// it greets when it has begun to listen to us
	await heard("info");
	if (await ask("needSetup"))
		granted(`the account ${user}`, await ask("setup", user, secret));
	const lists = Promise.all(["monitorList", "notificationList", "info"].map(heard));
	granted(`login as ${user}`, await ask("login", { username: user, password: secret, token: "" }));
	const [there, channels, info] = await lists;
	// as its page does for a monitor that is made there
	const notificationIDList = Object.fromEntries(channels.filter(c => c.isDefault).map(c => [c.id, true]));

	for (const { setting, ...monitor } of monitors) {
		let { pushToken } = Object.values(there).find(m => m.name === monitor.name) || {};

		if (pushToken === undefined) {
			pushToken = monitor.type === "push" ? randomBytes(16).toString("hex") : null;
			granted(monitor.name, await ask("add", { ...common, ...(isOld(info.version) ? {} : since2),
				notificationIDList, pushToken, ...monitor }));
		}
		if (setting)
			console.log(`${setting}=${url}/api/push/${pushToken}`);
	}
	socket.off("disconnect").close();
}

main();
