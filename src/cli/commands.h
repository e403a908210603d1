/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of bandit. To add one: a file cmd_NAME.c with NAME_usage and cmd_NAME(), its lines
 * here, in the table of bandit.c, in Makefile.inc and in doc/bandit.1. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

/* argv[0] is the command's name. The exit status: 0 done, 1 found something wrong, 2 bad usage. */
typedef int command_fn(int argc, char **argv);

extern const char convert_usage[], export_usage[], import_usage[], plan_usage[], replay_usage[],
    reproduce_usage[], serve_demo_usage[], token_usage[], verify_usage[];
command_fn cmd_convert, cmd_export, cmd_import, cmd_plan, cmd_replay, cmd_reproduce, cmd_serve_demo,
    cmd_token, cmd_verify;
/* replay --target, which cmd_replay gives on. */
command_fn cmd_replay_target;

#endif
