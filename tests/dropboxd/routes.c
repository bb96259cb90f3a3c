/* routes.c - every route, its host, its style, its scope, and the fields of its argument. */
#include "lib/std.h"

#include "tests/dropboxd/dropboxd.h"

#define READ_PATH (P_SLASH | P_ID | P_REV | P_NS)
#define LIST_PATH (P_SLASH | P_EMPTY | P_ID | P_NS)
#define WRITE_PATH (P_SLASH | P_NS)
#define WRITE_PATH_OR_ID (P_SLASH | P_NS | P_ID)
#define END { .name = NULL }

static const struct field metadata_arg[] = {
	{ .name = "path", .type = T_PATH, .required = true, .paths = READ_PATH },
	{ .name = "include_media_info", .type = T_BOOL },
	{ .name = "include_deleted", .type = T_BOOL },
	{ .name = "include_has_explicit_shared_members", .type = T_BOOL },
	{ .name = "include_property_groups", .type = T_ANY }, END };
static const struct field list_arg[] = {
	{ .name = "path", .type = T_PATH, .required = true, .paths = LIST_PATH },
	{ .name = "recursive", .type = T_BOOL }, { .name = "include_media_info", .type = T_BOOL },
	{ .name = "include_deleted", .type = T_BOOL },
	{ .name = "include_has_explicit_shared_members", .type = T_BOOL },
	{ .name = "include_mounted_folders", .type = T_BOOL },
	{ .name = "limit", .type = T_UINT, .lo = 1, .hi = 2000 },
	{ .name = "shared_link", .type = T_ANY },
	{ .name = "include_property_groups", .type = T_ANY },
	{ .name = "include_non_downloadable_files", .type = T_BOOL },
	{ .name = "include_restorable", .type = T_BOOL }, END };
static const struct field cursor_arg[] = {
	{ .name = "cursor", .type = T_STR, .required = true, .lo = 1 }, END };
static const struct field longpoll_arg[] = {
	{ .name = "cursor", .type = T_STR, .required = true, .lo = 1 },
	{ .name = "timeout", .type = T_UINT, .lo = 30, .hi = 480 }, END };
static const struct field delete_arg[] = {
	{ .name = "path", .type = T_PATH, .required = true, .paths = WRITE_PATH_OR_ID },
	{ .name = "parent_rev", .type = T_REV }, END };
static const struct field relocation_arg[] = {
	{ .name = "from_path", .type = T_PATH, .required = true, .paths = WRITE_PATH_OR_ID },
	{ .name = "to_path", .type = T_PATH, .required = true, .paths = WRITE_PATH_OR_ID },
	{ .name = "allow_shared_folder", .type = T_BOOL }, { .name = "autorename", .type = T_BOOL },
	{ .name = "allow_ownership_transfer", .type = T_BOOL }, END };
static const struct field folder_arg[] = {
	{ .name = "path", .type = T_PATH, .required = true, .paths = WRITE_PATH },
	{ .name = "autorename", .type = T_BOOL }, END };
static const struct field revisions_arg[] = {
	{ .name = "path", .type = T_PATH, .required = true, .paths = P_SLASH | P_ID | P_NS },
	{ .name = "mode", .type = T_TAG, .tags = "path|id" },
	{ .name = "limit", .type = T_UINT, .lo = 1, .hi = 100 },
	{ .name = "before_rev", .type = T_REV }, END };
static const struct field restore_arg[] = {
	{ .name = "path", .type = T_PATH, .required = true, .paths = WRITE_PATH },
	{ .name = "rev", .type = T_REV, .required = true }, END };
static const struct field download_arg[] = {
	{ .name = "path", .type = T_PATH, .required = true, .paths = READ_PATH },
	{ .name = "rev", .type = T_REV }, END };

/* CommitInfo; upload has content_hash besides */
#define COMMIT_FIELDS \
	{ .name = "path", .type = T_PATH, .required = true, .paths = WRITE_PATH_OR_ID }, \
	{ .name = "mode", .type = T_MODE }, { .name = "autorename", .type = T_BOOL }, \
	{ .name = "client_modified", .type = T_TIME }, { .name = "mute", .type = T_BOOL }, \
	{ .name = "property_groups", .type = T_LIST }, { .name = "strict_conflict", .type = T_BOOL }
static const struct field upload_arg[] = {
	COMMIT_FIELDS, { .name = "content_hash", .type = T_HASH }, END };
static const struct field commit_fields[] = { COMMIT_FIELDS, END };
static const struct field cursor_fields[] = {
	{ .name = "session_id", .type = T_STR, .required = true },
	{ .name = "offset", .type = T_UINT, .required = true, .hi = 0x1p64 }, END };
static const struct field start_arg[] = {
	{ .name = "close", .type = T_BOOL },
	{ .name = "session_type", .type = T_TAG, .tags = "sequential|concurrent" },
	{ .name = "content_hash", .type = T_HASH }, END };
static const struct field append_arg[] = {
	{ .name = "cursor", .type = T_STRUCT, .required = true, .sub = cursor_fields },
	{ .name = "close", .type = T_BOOL }, { .name = "content_hash", .type = T_HASH }, END };
static const struct field finish_arg[] = {
	{ .name = "cursor", .type = T_STRUCT, .required = true, .sub = cursor_fields },
	{ .name = "commit", .type = T_STRUCT, .required = true, .sub = commit_fields },
	{ .name = "content_hash", .type = T_HASH }, END };
static const struct field start_batch_arg[] = {
	{ .name = "session_type", .type = T_TAG, .tags = "sequential|concurrent" },
	{ .name = "num_sessions", .type = T_UINT, .required = true, .lo = 1, .hi = 1000 }, END };
static const struct field finish_batch_arg[] = {
	{ .name = "entries", .type = T_LIST, .required = true, .hi = 1000, .sub = finish_arg },
	END };
static const struct field check_arg[] = {
	{ .name = "async_job_id", .type = T_STR, .required = true, .lo = 1 }, END };
static const struct field query_arg[] = { { .name = "query", .type = T_STR, .hi = 500 }, END };

#define ACCOUNT "account_info.read"
#define META "files.metadata.read"
#define READ "files.content.read"
#define WRITE "files.content.write"

static const struct route routes[] = {
	{ "users/get_current_account", HOST_API, RPC, ACCOUNT, NULL, NULL, route_account },
	{ "users/get_space_usage", HOST_API, RPC, ACCOUNT, NULL, NULL, route_space },
	{ "check/user", HOST_API, RPC, ACCOUNT, query_arg, NULL, route_check_user },
	{ "auth/token/revoke", HOST_API, RPC, "", NULL, NULL, route_revoke },
	{ "oauth2/token", HOST_API, FORM, NULL, NULL, NULL, route_token },
	{ "files/get_metadata", HOST_API, RPC, META, metadata_arg, NULL, route_get_metadata },
	{ "files/list_folder", HOST_API, RPC, META, list_arg, NULL, route_list_folder },
	{ "files/list_folder/continue", HOST_API, RPC, META, cursor_arg, NULL,
		route_list_continue },
	{ "files/list_folder/get_latest_cursor", HOST_API, RPC, META, list_arg, NULL,
		route_latest_cursor },
	{ "files/list_folder/longpoll", HOST_NOTIFY, LONGPOLL, NULL, longpoll_arg, NULL,
		route_longpoll },
	{ "files/list_revisions", HOST_API, RPC, META, revisions_arg, NULL, route_list_revisions },
	{ "files/restore", HOST_API, RPC, WRITE, restore_arg, NULL, route_restore },
	{ "files/create_folder_v2", HOST_API, RPC, WRITE, folder_arg, NULL, route_create_folder },
	{ "files/delete_v2", HOST_API, RPC, WRITE, delete_arg, NULL, route_delete },
	{ "files/move_v2", HOST_API, RPC, WRITE, relocation_arg, NULL, route_move },
	{ "files/copy_v2", HOST_API, RPC, WRITE, relocation_arg, NULL, route_copy },
	{ "files/download", HOST_CONTENT, DOWNLOAD, READ, download_arg, NULL, route_download },
	{ "files/upload", HOST_CONTENT, UPLOAD, WRITE, upload_arg, upload_begin, route_upload },
	{ "files/upload_session/start", HOST_CONTENT, UPLOAD, WRITE, start_arg, start_begin,
		route_start },
	{ "files/upload_session/append_v2", HOST_CONTENT, UPLOAD, WRITE, append_arg, append_begin,
		route_append },
	{ "files/upload_session/finish", HOST_CONTENT, UPLOAD, WRITE, finish_arg, finish_begin,
		route_finish },
	{ "files/upload_session/start_batch", HOST_API, RPC, WRITE, start_batch_arg, NULL,
		route_start_batch },
	{ "files/upload_session/finish_batch", HOST_API, RPC, WRITE, finish_batch_arg, NULL,
		route_finish_batch_async },
	{ "files/upload_session/finish_batch_v2", HOST_API, RPC, WRITE, finish_batch_arg, NULL,
		route_finish_batch },
	{ "files/upload_session/finish_batch/check", HOST_API, RPC, WRITE, check_arg, NULL,
		route_finish_batch_check },
#define CONTROL_ROUTE(name) { "control/" name, HOST_API, CONTROL, NULL, NULL, NULL, route_control }
	CONTROL_ROUTE("authorize"),
	CONTROL_ROUTE("clock"),
	CONTROL_ROUTE("env"),
	CONTROL_ROUTE("fault"),
	CONTROL_ROUTE("forget"),
	CONTROL_ROUTE("log"),
	CONTROL_ROUTE("option"),
	CONTROL_ROUTE("put"),
	CONTROL_ROUTE("release"),
	CONTROL_ROUTE("reset"),
	CONTROL_ROUTE("revoke"),
	CONTROL_ROUTE("stats"),
	CONTROL_ROUTE("token"),
	CONTROL_ROUTE("wait"),
};

const struct route *route_find(const char *name)
{
	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
		if (strcmp(routes[i].name, name) == 0)
			return &routes[i];
	}
	return NULL;
}
