#!/usr/bin/env escript
%% The same counters in Erlang: suspended, changed and resumed as OTP's release handler does it. Prints its figures.
%%! +P 1000000

main([Count, Clients, Rounds]) ->
    {module, counter} = code:load_binary(counter, "counter.erl", build(1)),
    Pids = [start(list_to_integer(Clients)) || _ <- lists:seq(1, list_to_integer(Count))],
    Bytes = byte_size(term_to_binary(gen_server:call(hd(Pids), state))),
    Figures = [begin
                   Figure = change(Pids, build(2), "1", Bytes),
                   change(Pids, build(1), {down, "1"}, Bytes),
                   Figure
               end || _ <- lists:seq(1, list_to_integer(Rounds))],
    io:format("[~s]~n", [lists:join(",", Figures)]).

start(Clients) ->
    {ok, Pid} = gen_server:start(counter, [], []),
    [gen_server:cast(Pid, {note, Client bsl 32, 1}) || Client <- lists:seq(0, Clients - 1)],
    0 = gen_server:call(Pid, get),
    Pid.

change(Pids, Beam, Version, Bytes) ->
    Begun = now_us(),
    Stopped = [begin ok = sys:suspend(Pid, infinity), {Pid, now_us()} end || Pid <- Pids],
    code:purge(counter),
    {module, counter} = code:load_binary(counter, "counter.erl", Beam),
    [ok = sys:change_code(Pid, counter, Version, [], infinity) || Pid <- Pids],
    Pauses = lists:sort([begin ok = sys:resume(Pid, infinity), now_us() - At end || {Pid, At} <- Stopped]),
    Total = now_us() - Begun,
    io_lib:format("{\"total_us\":~b,\"p50_us\":~b,\"max_us\":~b,\"state_bytes\":~b}",
                  [Total, lists:nth((length(Pauses) + 1) div 2, Pauses), lists:last(Pauses), Bytes]).

now_us() -> erlang:monotonic_time(microsecond).

build(Version) ->
    {ok, counter, Beam} = compile:forms([form(Form) || Form <- source(Version)], []),
    Beam.

form(Text) ->
    {ok, Tokens, _} = erl_scan:string(Text),
    {ok, Form} = erl_parse:parse_form(Tokens),
    Form.

%% Version 1: {Count, Noted, Violations}. Version 2 has the number of additions besides.
source(Version) ->
    ["-module(counter).",
     "-export([init/1, handle_call/3, handle_cast/2, code_change/3]).",
     "init([]) -> {ok, " ++ fresh(Version) ++ "}.",
     "handle_call(get, _, State) -> {reply, element(1, State), State};"
     "handle_call(state, _, State) -> {reply, State, State}.",
     "handle_cast({note, Client, Number}, State) ->"
     "  {noreply, setelement(2, State, maps:put(Client, Number, element(2, State)))}.",
     "code_change({down, _}, {Count, Noted, Violations, _}, _) -> {ok, {Count, Noted, Violations}};"
     "code_change(_, {Count, Noted, Violations}, _) -> {ok, {Count, Noted, Violations, 0}};"
     "code_change(_, State, _) -> {ok, State}."].

fresh(1) -> "{0, #{}, 0}";
fresh(2) -> "{0, #{}, 0, 0}".
