/* SPDX-License-Identifier: Apache-2.0 */
/* main_int.h - the roles' main functions: argv is their flags only; returns the exit code */
#pragma once

int store_main(int argc, char **argv);
int market_main(int argc, char **argv);
int sms_main(int argc, char **argv);
int scheduler_main(int argc, char **argv);
int worker_main(int argc, char **argv);
