# old.bash - a lab in which one host has the programs of an earlier commit, whose tree `make test-old` has built, and both
# hosts tell their alerts to the office
# shellcheck shell=bash

OLD_TREE=${CTV_BUILD:-$ROOT/build}/old
NEWEST=$APP/data/database/.follow/newest.db
MESSENGER=https://100.64.0.1:7777

# old_base HOST: once per file, as lab_base; that nothing is installed yet is told to nobody
old_base() {
	local host upper
	OLD_HOST=$1
	[ -x "$OLD_TREE/build/mirror-head" ] || { echo "there is no $OLD_TREE: make test-old OLD=COMMIT brings it" >&2; return 1; }
	lab_base
	[ -z "$LAB_WHY" ] || return 0
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=messenger \
		-addext subjectAltName=IP:100.64.0.1 -keyout "$BATS_FILE_TMPDIR/key" -out "$BATS_FILE_TMPDIR/crt" 2>/dev/null
	for host in pi-ctv pi2; do
		upper=$BATS_FILE_TMPDIR/base/$host/upper
		mkdir -p "$upper/etc/ssl/certs"
		cp "$BATS_FILE_TMPDIR/crt" "$upper/etc/ssl/certs/$(openssl x509 -hash -noout -in "$BATS_FILE_TMPDIR/crt").0"
		echo "CTV_TEAMS_URL=$MESSENGER/teams/$host" >>"$upper/etc/ctv-db-sync.env"
	done
}

# lab_install: the tree from which a host is installed is /usr/src/ctv-mirror; until the old one boots again it has its own there
lab_install() {
	lab run "$OLD_HOST" mount --bind "/usr/src/ctv-mirror${OLD_TREE#"$ROOT"}" /usr/src/ctv-mirror
	lab install pi-ctv pi2
}

# old_new: this test's lab, whose office listens
old_new() {
	lab_new
	R=$BATS_TEST_TMPDIR/receiver
	mkdir "$R"
	: >"$R/log"
	lab serve office python3 "$ROOT/tests/receiver.py" "$R" 7777 100.64.0.1 "$BATS_FILE_TMPDIR/crt" "$BATS_FILE_TMPDIR/key"
}

# said HOST: what the people were told by it; an old one has another card
said() {
	jq -r --arg p "/teams/$1" 'select(.path == $p) | .body | fromjson | .attachments[0].content.body[0] | .text // .inlines[0].text' "$R/log"
}

# quiet: a round of each host has looked at how things are now, and nobody was told anything
quiet() {
	round pi-ctv
	round pi2
	[ -z "$(said pi-ctv)$(said pi2)" ] || { said pi-ctv; said pi2; return 1; } >&2
}

# alarms HOST UNIT: with a token that was revoked the unit fails, and people hear of it
alarms() {
	lab run "$1" sed -i 's/^DROPBOX_REFRESH_TOKEN=.*/DROPBOX_REFRESH_TOKEN=revoked/' /etc/ctv-db-sync.env
	run ! lab run "$1" systemctl start "$2"
	heard() { said "$1" | grep -F "$2 failed"; }
	eventually heard "$@"
}

# minutes: the primary, a new one, publishes every five seconds, as if the last night were some hours ago
minutes() {
	lab run pi-ctv sh -c "sed -i '/^CTV_CHANGES_EVERY=/d' /etc/ctv-db-sync.env; echo CTV_CHANGES_EVERY=5s >>/etc/ctv-db-sync.env
		touch -d '2 hours ago' $STATE/last-upload.json; touch /etc/ctv-lab.publish; systemctl restart ctv-publish.service"
}

# upgrade HOST ROLE: make install over what is there
upgrade() {
	lab run "$1" make -s -C /usr/src/ctv-mirror install ROLE="$2"
}

# record FILTER: of the head record as it is in Dropbox
record() { pi2 dbx-fetch /mirror-head.json | jq -r "$1"; }

# published N: state N or a later one is on record
published() { [ "$(newest_n)" -ge "$1" ] 2>/dev/null; }
newest_n() { record '[.head.n, .change.n] | max'; }

# base_made N: it is on record, and the job that made it has ended
base_made() {
	eventually published "$1"
	eventually idle pi-ctv ctv-db-sync.service
}

# copies: how many nights are in Dropbox
copies() { pi2 dbx-ls /backups | grep -c 'database_backup_'; }

# shellcheck disable=SC2016  # expanded on the host
# followed NOTE: this row is in newest.db
followed() {
	pi2 sh -c '[ -e "$0" ] && [ ! -s "$0-wal" ] && sqlite3 "file:$0?immutable=1" "SELECT note FROM spots" | grep -qx "$1"' $NEWEST "$1"
}

# a_night NOTE: the upload, the download, and what was entered is there, under the live name
a_night() {
	enter $PRIMARY "$1"
	night
	notes pi2 | grep -qx "$1"
	[ "$(pi2 jq -r .result $STATE/last-download.json)" = ok ]
	sound pi2
}

# ready: pi2 could take over
ready() { operator "$APP/scripts/failover-to-pi2.sh" --dry-run; }
