#!/usr/bin/env escript
%%! +P 8000000
%% The works of the benchmark by Erlang's processes. Reads orders as terms, and answers each with a line of nanoseconds: of
%% the whole, and of each where single ones are measured. Ends when its input does.
-mode(compile).

main(_) ->
    logger:set_primary_config(level, none),
    {ok, _} = start_supervisor(),
    io:format("Erlang/OTP ~s, ~b schedulers~n", [erlang:system_info(otp_release), erlang:system_info(schedulers_online)]),
    loop(#{players => [], counters => [], version => 1}).

loop(State) ->
    case io:read('') of
        {ok, Order} ->
            Begun = now_ns(),
            {Took, Next} = case obey(Order, State) of
                               {took, Whole, Changed} -> {[Whole], Changed};
                               {Each, Changed} -> {[now_ns() - Begun | Each], Changed}
                           end,
            io:format("~s~n", [lists:join(" ", [integer_to_list(N) || N <- Took])]),
            loop(Next);
        eof ->
            ok
    end.

now_ns() -> erlang:monotonic_time(nanosecond).

obey({players, Number}, State = #{players := Before}) ->
    [exit(Pid, kill) || Pid <- Before],
    Players = [start_player() || _ <- lists:seq(1, Number)],
    [ok = gen_server:call(Player, {meet, Next}) || {Player, Next} <- lists:zip(Players, tl(Players) ++ [hd(Players)])],
    {[], State#{players := Players}};
obey({start, counter, Number}, State = #{counters := Before}) ->
    Counters = [spawn(fun() -> counter(Start, 1, 2, 3, 4, 5, 6) end) || Start <- lists:seq(1, Number)],
    {[], State#{counters := Counters ++ Before}};
obey({start, noted, Number}, State = #{version := Version}) ->
    load(noted, Version),
    Counters = [begin {ok, Pid} = gen_server:start(noted, [], []), Pid end || _ <- lists:seq(1, Number)],
    {[], State#{counters := Counters}};
obey({hoards, Number, Size}, State = #{version := Version}) ->
    load(hoard, Version),
    Counters = [begin {ok, Pid} = gen_server:start(hoard, Size, []), Pid end || _ <- lists:seq(1, Number)],
    {[], State#{counters := Counters}};
obey(clear, State = #{players := Players, counters := Counters}) ->
    [exit(Pid, kill) || Pid <- Players ++ Counters],
    erlang:garbage_collect(),
    {[], State#{players := [], counters := []}};
obey({lives, Times}, State) ->
    lives(Times),
    {[], State};
obey({throw, Passes}, State = #{players := [First | _]}) ->
    ok = gen_server:call(First, {throw, Passes}, infinity),
    {[], State};
obey({asks, Times}, State = #{players := [First | _]}) ->
    asks(First, Times),
    {[], State};
obey({calls, Times, Seed}, State = #{counters := Counters}) ->
    %% To make a tuple of a million pids is no part of a call.
    All = list_to_tuple(Counters),
    Begun = now_ns(),
    calls(All, Times, Seed),
    {took, now_ns() - Begun, State};
obey({fan_in, Drops}, State = #{players := [First | Others]}) ->
    [ok = gen_server:call(Sender, {meet, First}) || Sender <- Others],
    [gen_server:cast(Sender, {pour, Drops}) || Sender <- Others],
    ok = gen_server:call(First, {expect, Drops * length(Others)}, infinity),
    {[], State};
obey({spin, Number}, State = #{players := Players}) ->
    Spinners = [spawn(fun spin/0) || _ <- lists:seq(1, Number)],
    {[], State#{players := Players ++ Spinners}};
obey({latencies, Times}, State = #{players := [First | _]}) ->
    {[each(fun() -> ok = gen_server:call(First, ping, infinity) end) || _ <- lists:seq(1, Times)], State};
obey({crashes, Name, Times}, State) ->
    {[each(fun() -> crash(Name) end) || _ <- lists:seq(1, Times)], State};
obey({fib, N}, State) ->
    fib(N),
    {[], State};
obey({upgrade, Module}, State = #{counters := Counters, version := Version}) ->
    Next = 3 - Version,
    Stopped = [begin ok = sys:suspend(Pid, infinity), {Pid, now_ns()} end || Pid <- Counters],
    load(Module, Next),
    [ok = sys:change_code(Pid, Module, vsn(Version, Next), [], infinity) || Pid <- Counters],
    Pauses = [begin ok = sys:resume(Pid, infinity), now_ns() - At end || {Pid, At} <- Stopped],
    {Pauses, State#{version := Next}}.

each(Work) ->
    Begun = now_ns(),
    Work(),
    now_ns() - Begun.

lives(0) ->
    ok;
lives(Times) ->
    {Pid, Monitor} = spawn_monitor(fun() -> receive go -> ok end end),
    Pid ! go,
    receive {'DOWN', Monitor, process, Pid, normal} -> lives(Times - 1) end.

asks(_, 0) ->
    ok;
asks(First, Times) ->
    ok = gen_server:call(First, ping, infinity),
    asks(First, Times - 1).

calls(_, 0, _) ->
    ok;
calls(All, Times, Seed) ->
    One = random(Seed),
    _ = gen_server:call(element(One rem tuple_size(All) + 1, All), {add, 1}, infinity),
    calls(All, Times - 1, One).

random(Seed) ->
    %% `band` binds closer than `bsl`: without its own parentheses the number would grow with each step.
    A = Seed bxor ((Seed bsl 13) band 16#ffffffffffffffff),
    B = A bxor (A bsr 7),
    B bxor ((B bsl 17) band 16#ffffffffffffffff).

%% A process with a state, and no more: cheaper than any gen_server.
counter(Count, A, B, C, D, E, F) ->
    receive
        {'$gen_call', From, {add, N}} ->
            gen_server:reply(From, Count + N),
            counter(Count + N, A, B, C, D, E, F)
    end.

spin() -> spin().

crash(Name) ->
    gen_server:cast(Name, crash),
    until_answered(Name).

until_answered(Name) ->
    try ok = gen_server:call(Name, ping, infinity)
    catch exit:_ -> until_answered(Name)
    end.

fib(N) when N < 2 -> N;
fib(N) -> fib(N - 1) + fib(N - 2).

start_player() ->
    {ok, Pid} = gen_server:start(player, [], []),
    Pid.

start_supervisor() ->
    load_forms(player, player()),
    load_forms(parent, parent()),
    supervisor:start_link(parent, []).

load(Module, Version) ->
    code:purge(Module),
    load_forms(Module, source(Module, Version)).

source(noted, Version) -> noted(Version);
source(hoard, Version) -> hoard(Version).

load_forms(Module, Source) ->
    Forms = [begin
                 {ok, Tokens, _} = erl_scan:string(Form),
                 {ok, Parsed} = erl_parse:parse_form(Tokens),
                 Parsed
             end || Form <- Source],
    {ok, Module, Beam} = compile:forms(Forms, []),
    {module, Module} = code:load_binary(Module, "bench.escript", Beam).

parent() ->
    ["-module(parent).",
     "-export([init/1]).",
     "init([]) ->"
     "  Child = #{id => victim, start => {gen_server, start_link, [{local, victim}, player, [], []]}},"
     "  {ok, {#{strategy => one_for_one, intensity => 1000000, period => 1}, [Child]}}."].

%% State: {Next, Expected, Waiting}.
player() ->
    ["-module(player).",
     "-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).",
     %% Else each garbage collection would look at every message that waits.
     "init([]) -> process_flag(message_queue_data, off_heap), {ok, {self(), 0, none}}.",
     "handle_call({meet, Next}, _, {_, Expected, Waiting}) -> {reply, ok, {Next, Expected, Waiting}};"
     "handle_call(ping, _, State) -> {reply, ok, State};"
     "handle_call({throw, Passes}, From, {Next, Expected, _}) ->"
     "  Next ! {ball, Passes - 1}, {noreply, {Next, Expected, From}};"
     "handle_call({expect, Drops}, From, {Next, Expected, _}) ->"
     "  done(Expected + Drops, {Next, Expected + Drops, From}).",
     "handle_cast(crash, _) -> exit(crash);"
     "handle_cast({pour, Drops}, State = {Next, _, _}) -> pour(Next, Drops), {noreply, State}.",
     "handle_info({ball, 0}, State) -> done(0, State);"
     "handle_info({ball, Passes}, State = {Next, _, _}) -> Next ! {ball, Passes - 1}, {noreply, State};"
     %% Drops may come before whoever expects them says so.
     "handle_info(drop, {Next, Expected, Waiting}) -> done(Expected - 1, {Next, Expected - 1, Waiting}).",
     "done(0, {Next, Expected, Waiting}) when Waiting =/= none ->"
     "  gen_server:reply(Waiting, ok), {noreply, {Next, Expected, none}};"
     "done(_, State) -> {noreply, State}.",
     "pour(_, 0) -> ok;"
     "pour(Next, Drops) -> Next ! drop, pour(Next, Drops - 1)."].

%% Version 1: {Count, Noted, Violations}. Version 2 has the number of additions besides.
noted(Version) ->
    ["-module(noted).",
     "-export([init/1, handle_call/3, handle_cast/2, code_change/3]).",
     "init([]) -> {ok, " ++ fresh(Version) ++ "}.",
     "handle_call(get, _, State) -> {reply, element(1, State), State}.",
     "handle_cast(_, State) -> {noreply, State}.",
     "code_change({down, _}, {Count, Noted, Violations, _}, _) -> {ok, {Count, Noted, Violations}};"
     "code_change(_, {Count, Noted, Violations}, _) -> {ok, {Count, Noted, Violations, 0}}."].

%% Version 1: {Numbers}. Version 2 has besides how often it was asked.
hoard(Version) ->
    Asked = case Version of 1 -> ""; 2 -> ", 0" end,
    ["-module(hoard).",
     "-export([init/1, handle_call/3, handle_cast/2, code_change/3]).",
     "init(Size) -> {ok, {[16#ffffffffffffffff - N || N <- lists:seq(1, Size)]" ++ Asked ++ "}}.",
     "handle_call(_, _, State) -> {reply, length(element(1, State)), State}.",
     "handle_cast(_, State) -> {noreply, State}.",
     "code_change({down, _}, {Numbers, _}, _) -> {ok, {Numbers}};"
     "code_change(_, {Numbers}, _) -> {ok, {Numbers, 0}}."].

fresh(1) -> "{0, #{}, 0}";
fresh(2) -> "{0, #{}, 0, 0}".

vsn(1, 2) -> "1";
vsn(2, 1) -> {down, "1"}.
