// watch.js URL FILE - every heartbeat that the Uptime Kuma at URL has or makes becomes a line of FILE: {name, status, msg}
//
// To be run in Kuma's directory, as the account admin, whose password is $KUMA_PASSWORD. It comes back when Kuma does.
// With a third operand, the address of a Teams workflow, that becomes what monitors tell by default.
"use strict";

const { appendFileSync } = require("fs");
const { io } = require(require.resolve("socket.io-client", { paths: [process.cwd()] }));
const [url, file, teams] = process.argv.slice(2);
const socket = io(url, { transports: ["websocket"], reconnectionDelayMax: 500 });
const statuses = ["DOWN", "UP", "PENDING", "MAINTENANCE"];
const names = {};

function note(line) {
	appendFileSync(file, JSON.stringify(line) + "\n");
}

socket.on("monitorList", list => Object.values(list).forEach(m => {
	if (!names[m.id])
		note({ name: m.name, monitor: m });
	names[m.id] = m.name;
}));
// newer ones tell of an added monitor only
socket.on("updateMonitorIntoList", list => socket.listeners("monitorList")[0](list));
socket.on("heartbeat", b => note({ name: names[b.monitorID], status: statuses[b.status], msg: b.msg }));
socket.on("connect", () => socket.once("info", async () => {
	const login = { username: "admin", password: process.env.KUMA_PASSWORD, token: "" };
	const answer = await socket.emitWithAck("login", login);
	if (teams)
		await socket.emitWithAck("addNotification", { name: "Teams", type: "teams", webhookUrl: teams, isDefault: true }, null);
	note({ name: "watch.js", status: answer.ok ? "UP" : "DOWN", msg: answer.msg });
}));
