/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of bandit. To add one: a file cmd_NAME.c with NAME_usage and cmd_NAME(), its lines
 * here, in the table of bandit.c, in Makefile.inc and in doc/bandit.1. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

/* argv[0] is the command's name. The exit status: 0 done, 1 found something wrong, 2 bad usage. */
typedef int command_fn(int argc, char **argv);

/* clang-format off */
extern const char backup_usage[]; command_fn cmd_backup;
extern const char compare_usage[]; command_fn cmd_compare;
extern const char convert_usage[]; command_fn cmd_convert;
extern const char export_usage[]; command_fn cmd_export;
extern const char import_usage[]; command_fn cmd_import;
extern const char plan_usage[]; command_fn cmd_plan;
extern const char prune_usage[]; command_fn cmd_prune;
extern const char replay_usage[]; command_fn cmd_replay;
extern const char reproduce_usage[]; command_fn cmd_reproduce;
extern const char restore_usage[]; command_fn cmd_restore;
extern const char salvage_usage[]; command_fn cmd_salvage;
extern const char serve_demo_usage[]; command_fn cmd_serve_demo;
extern const char tables_usage[]; command_fn cmd_tables;
extern const char token_usage[]; command_fn cmd_token;
extern const char top_usage[]; command_fn cmd_top;
extern const char verify_usage[]; command_fn cmd_verify;
/* clang-format on */
/* verify without deriving draws again; prints what is wrong alone. only: one experiment, or NULL
 * for all. RC_CORRUPT. */
int verify_fold(const char *where, const char *only);

#endif
