#!/usr/bin/env escript
%%! +S 1 -kernel logger_level none
%% The guests `probe` and `probe-task` once more, as OTP has them: the same steps, the same journal.
%%
%% Reads scenarios as Erlang terms, and writes the trace of each as a line of JSON: for each step its result, what each
%% process has noted since the step before, and who has ended and why. There is one scheduler, so that all that follows
%% from a step has happened once everybody waits. `Fail` and `Panic` are errors; everything else is OTP's word for it.
-mode(compile).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, handle_continue/2, terminate/2]).
-export([callback_mode/0, handle_event/4, terminate/3, start_worker/1]).

main([]) ->
    process_flag(trap_exit, true),
    %% While a module is loaded everybody may seem to wait.
    Used = [gen_server, gen_statem, gen, proc_lib, supervisor, sys, pg, maps, lists, proplists, io_lib, logger, error_logger],
    [code:ensure_loaded(Module) || Module <- Used],
    {ok, _} = pg:start_link(),
    each(fun(Scenario) -> io:put_chars([json(run(Scenario)), $\n]) end).

each(Do) ->
    case io:read("") of
        {ok, Scenario} -> Do(Scenario), each(Do);
        eof -> ok
    end.

%% Scenarios

run(#{<<"supervisor">> := Spec, <<"steps">> := Steps}) ->
    erase(),
    Before = processes(),
    {ok, Collector} = gen_server:start({local, o}, ?MODULE, null, []),
    Env = #{<<"o">> => Collector},
    Started = supervisor:start_link(?MODULE, {supervisor, Spec}),
    Supervisor = case Started of {ok, Pid} -> Pid; {error, _} -> none end,
    Watch = if is_pid(Supervisor) -> #{erlang:monitor(process, Supervisor) => <<"supervisor">>}; true -> #{} end,
    First = #{<<"result">> => sup_result(Started)},
    Trace = sup_steps(Steps, {Supervisor, Env, Watch, Before}, [sup_seen(First, {Supervisor, Env, Watch, Before})]),
    clean(Before),
    Trace;
run(#{<<"names">> := Names, <<"steps">> := Steps}) ->
    Before = processes(),
    Pids = [begin
                {ok, Pid} = gen_server:start_link({local, binary_to_atom(Name)}, ?MODULE, null, []),
                {Name, Pid}
            end || Name <- Names],
    Watch = maps:from_list([{erlang:monitor(process, Pid), Name} || {Name, Pid} <- Pids]),
    Trace = steps(Steps, {maps:from_list(Pids), Names, Watch, Before}, []),
    clean(Before),
    Trace.

%% Env: what `$name` stands for. Probes: those with a journal, in order. Watch: whose monitor it is.
steps([], _, Trace) ->
    lists:reverse(Trace);
steps([Step | Steps], {Env, Probes, Watch, Before} = State, Trace) ->
    {Result, More} = step(Step, State),
    settle(),
    {Env1, Probes1, Watch1} = bind(Step, Result, {Env, Probes, Watch}),
    Heard = case Step of
                #{<<"quiet">> := true} -> #{};
                _ -> heard(Probes1, Env1, More)
            end,
    Line = #{<<"result">> => Result, <<"heard">> => Heard, <<"ended">> => ended(Watch1)},
    steps(Steps, {Env1, Probes1, Watch1, Before}, [names(Line, Env1) | Trace]).

%% A step that names what no step has brought is skipped.
step(Step, {Env, _, _, _} = State) ->
    try subst(Step, Env) of
        Clear -> perform_step(Clear, State)
    catch throw:unbound -> {<<"skipped">>, #{}} end.

perform_step(#{<<"at">> := Pid, <<"do">> := Do}, _) ->
    {ask(Pid, Do), #{}};
perform_step(#{<<"at">> := Pid, <<"tell">> := Script}, _) ->
    Pid ! {info, #{<<"do">> => Script}},
    {null, #{}};
perform_step(#{<<"at">> := Pid, <<"sys">> := Request}, _) ->
    Result = try sys_request(Request, Pid)
             catch
                 exit:{noproc, _} -> <<"nobody">>;
                 error:{callback_failed, _, _} -> <<"failed">>
             end,
    {Result, #{}};
perform_step(#{<<"hear">> := At, <<"entries">> := Count}, {Env, _, _, _}) ->
    settle(),
    {null, #{At => hear(maps:get(At, Env), Count, [], 5000)}}.

sys_request(<<"suspend">>, Pid) -> sys:suspend(Pid), <<"done">>;
sys_request(<<"resume">>, Pid) -> sys:resume(Pid), <<"done">>;
sys_request(<<"status">>, Pid) ->
    {status, Pid, _, [_, Status, _, _, _]} = sys:get_status(Pid),
    atom_to_binary(Status);
sys_request(<<"state">>, Pid) ->
    #{journal := Journal} = sys:get_state(Pid),
    lists:reverse(Journal);
sys_request(#{<<"replace">> := Journal}, Pid) ->
    sys:replace_state(Pid, fun(State) -> State#{journal := lists:reverse(Journal)} end),
    <<"done">>;
sys_request(<<"replace badly">>, Pid) -> sys:replace_state(Pid, fun(_) -> error(badly) end);
%% How many messages since it was asked last.
sys_request(<<"handled">>, Pid) ->
    Handled = case sys:statistics(Pid, get) of
                  {ok, no_statistics} -> null;
                  {ok, Statistics} -> integer_to_binary(proplists:get_value(messages_in, Statistics))
              end,
    sys:statistics(Pid, false),
    sys:statistics(Pid, true),
    Handled;
sys_request(#{<<"terminate">> := Reason}, Pid) -> sys:terminate(Pid, term(Reason)), <<"done">>.

hear(_, Count, Heard, Tries) when length(Heard) >= Count; Tries =:= 0 -> Heard;
hear(Pid, Count, Heard, Tries) -> timer:sleep(1), hear(Pid, Count, Heard ++ take(Pid), Tries - 1).

ask(Pid, Step) -> outcome(fun() -> gen_server:call(Pid, Step, infinity) end, fun(Reply) -> Reply end).

heard(Probes, Env, More) ->
    Heard = [{Name, maps:get(Name, More, []) ++ take(maps:get(Name, Env))} || Name <- Probes],
    maps:from_list([{Name, Entries} || {Name, Entries} <- Heard, Entries =/= []]).

take(Pid) ->
    case process_info(Pid, current_function) of
        undefined -> [];
        {_, {gen, do_call, _}} -> [];
        {_, {sys, _, _}} -> [];
        _ ->
            case ask(Pid, <<"Take">>) of
                Entries when is_list(Entries) -> Entries;
                _ -> []
            end
    end.

ended(Watch) ->
    receive
        {'DOWN', Ref, process, _, Reason} when is_map_key(Ref, Watch) ->
            maps:put(maps:get(Ref, Watch), reason(Reason), ended(Watch))
    after 0 -> #{}
    end.

%% `as` names what a step brought, for the steps behind it: a pid or a mark; `name.mark` if there are both, `name.0` and so
%% on if there are many.
bind(#{<<"as">> := Name} = Step, Result, {Env, Probes, Watch}) ->
    Env1 = maps:merge(Env, maps:from_list(bindings(Name, Result))),
    case {Step, Result} of
        {#{<<"do">> := #{<<"Spawn">> := #{<<"module">> := Module}}}, #{<<"Ok">> := #{<<"pid">> := Pid}}} ->
            Watch1 = maps:put(erlang:monitor(process, Pid), Name, Watch),
            {Env1, [Name || Module =:= <<"probe">>] ++ Probes, Watch1};
        _ -> {Env1, Probes, Watch}
    end;
bind(_, _, State) -> State.

bindings(Name, #{<<"Ok">> := #{<<"pid">> := Pid, <<"mark">> := Mark}}) ->
    [{Name, Pid}, {<<Name/binary, ".mark">>, Mark}];
bindings(Name, #{<<"Ok">> := Results}) when is_list(Results) -> bindings(Name, Results);
bindings(Name, Results) when is_list(Results) ->
    Numbered = lists:zip(lists:seq(0, length(Results) - 1), Results),
    [{<<Name/binary, ".", (integer_to_binary(Number))/binary>>, Result} || {Number, Result} <- Numbered];
bindings(_, #{<<"Err">> := _}) -> [];
bindings(Name, #{<<"alias">> := Alias} = Result) ->
    [{<<Name/binary, ".mark">>, maps:get(<<"mark">>, Result, null)}, {<<Name/binary, ".alias">>, Alias}];
bindings(_, <<"skipped">>) -> [];
bindings(Name, Result) -> [{Name, Result}].

subst(<<"$", Name/binary>>, Env) ->
    case Env of
        #{Name := Value} -> Value;
        _ -> throw(unbound)
    end;
subst(Map, Env) when is_map(Map) -> maps:map(fun(_, Value) -> subst(Value, Env) end, Map);
subst(List, Env) when is_list(List) -> [subst(Value, Env) || Value <- List];
subst(Value, _) -> Value.

%% The other way round: pids by the names they were given, and nobody else's.
names(Pid, Env) when is_pid(Pid) ->
    case [Name || {Name, Value} <- maps:to_list(Env), Value =:= Pid] of
        [Name | _] -> <<"$", Name/binary>>;
        [] -> <<"?">>
    end;
names(Map, Env) when is_map(Map) -> maps:map(fun(_, Value) -> names(Value, Env) end, Map);
names(List, Env) when is_list(List) -> [names(Value, Env) || Value <- List];
names({Pid, _}, Env) when is_pid(Pid) -> #{<<"pid">> => names(Pid, Env), <<"mark">> => 0};
names(Ref, _) when is_reference(Ref) -> 0;
names(Value, _) -> Value.

%% Until everybody waits, three times in a row; OTP's own processes, too, since others may wait for them.
settle() -> settle(3).

settle(0) -> ok;
settle(Times) ->
    erlang:yield(),
    case [Pid || Pid <- processes(), Pid =/= self(), not rests(Pid)] of
        [] -> settle(Times - 1);
        _ -> settle(3)
    end.

rests(Pid) ->
    case process_info(Pid, status) of
        {status, waiting} -> true;
        undefined -> true;
        _ -> false
    end.

clean(Before) ->
    case processes() -- Before of
        [] -> flush();
        Pids ->
            [exit(Pid, kill) || Pid <- Pids],
            erlang:yield(),
            clean(Before)
    end.

flush() -> receive _ -> flush() after 0 -> ok end.

%% Supervisors

sup_steps([], _, Trace) ->
    lists:reverse(Trace);
sup_steps([Step | Steps], {Supervisor, Env, _, _} = State, Trace) ->
    Result = sup_step(Step, Supervisor, Env),
    settle(),
    sup_steps(Steps, State, [sup_seen(#{<<"result">> => Result}, State) | Trace]).

sup_step(#{<<"tell">> := Name, <<"do">> := Do}, _, _) ->
    case whereis(binary_to_atom(Name)) of
        undefined -> null;
        Pid -> Pid ! {info, #{<<"do">> => Do}}, null
    end;
sup_step(#{<<"kill">> := Name}, _, _) ->
    case whereis(binary_to_atom(Name)) of
        undefined -> null;
        Pid -> exit(Pid, kill), null
    end;
sup_step(Request, Supervisor, _) ->
    try sup_result(request(Request, Supervisor))
    catch exit:{_, _} -> <<"gone">> end.

request(#{<<"begin">> := Init}, Sup) -> supervisor:start_child(Sup, [Init]);
request(#{<<"end">> := Name}, Sup) -> supervisor:terminate_child(Sup, last(Name));
request(#{<<"start">> := Spec}, Sup) -> supervisor:start_child(Sup, child(Spec));
request(#{<<"terminate">> := Id}, Sup) -> supervisor:terminate_child(Sup, Id);
request(#{<<"restart">> := Id}, Sup) -> supervisor:restart_child(Sup, Id);
request(#{<<"delete">> := Id}, Sup) -> supervisor:delete_child(Sup, Id);
request(#{<<"stop">> := true}, Sup) ->
    unlink(Sup),
    gen_server:stop(Sup, shutdown, infinity).

sup_result(ok) -> <<"done">>;
sup_result({ok, undefined}) -> <<"ignored">>;
sup_result({ok, Pid}) when is_pid(Pid) -> <<"started">>;
sup_result({error, {already_started, Pid}}) when is_pid(Pid) -> <<"already started">>;
sup_result({error, already_present}) -> <<"already present">>;
sup_result({error, not_found}) -> <<"not found">>;
sup_result({error, running}) -> <<"running">>;
sup_result({error, restarting}) -> <<"restarting">>;
sup_result({error, simple_one_for_one}) -> <<"only by pid">>;
sup_result({error, {shutdown, {failed_to_start_child, Id, Reason}}}) ->
    #{<<"failed to start">> => Id, <<"because">> => reason(Reason)};
sup_result({error, {start_spec, _}}) -> <<"invalid">>;
sup_result({error, {bad_combination, _}}) -> <<"invalid">>;
sup_result({error, {Reason, Child}}) when element(1, Child) =:= child -> #{<<"failed">> => reason(Reason)};
sup_result({error, Reason}) -> #{<<"failed">> => reason(Reason)}.

%% What there is to see of a supervisor between two steps.
sup_seen(Line, {Supervisor, Env, Watch, _}) ->
    Told = take(maps:get(<<"o">>, Env)),
    Children = try [begin
                        Id = id(Given, Pid),
                        #{<<"id">> => Id, <<"pid">> => place(Id, Pid), <<"type">> => atom_to_binary(Type)}
                    end || {Given, Pid, Type, _} <- supervisor:which_children(Supervisor)]
               catch exit:_ -> <<"gone">> end,
    Counts = try [proplists:get_value(Key, supervisor:count_children(Supervisor))
                  || Key <- [specs, active, supervisors, workers]]
             catch exit:_ -> <<"gone">> end,
    Line#{<<"told">> => names(Told, Env), <<"children">> => Children, <<"counts">> => Counts,
          <<"ended">> => ended(Watch)}.

%% Children that come and go have no id: their names, which they register.
id(undefined, Pid) ->
    case process_info(Pid, registered_name) of
        {registered_name, Name} -> atom_to_binary(Name);
        _ -> null
    end;
id(Id, _) -> Id.

%% The process that has this name, or had it.
last(Name) ->
    case {whereis(binary_to_atom(Name)), get({pids, Name})} of
        {undefined, [_ | _] = Pids} -> lists:last(Pids);
        {Pid, _} -> Pid
    end.

%% Which of all processes that ever had this id it is: counted from 1.
place(Id, Pid) when is_pid(Pid) ->
    Known = case get({pids, Id}) of undefined -> []; Pids -> Pids end,
    case lists:member(Pid, Known) of
        true -> length(lists:takewhile(fun(Other) -> Other =/= Pid end, Known)) + 1;
        false -> put({pids, Id}, Known ++ [Pid]), length(Known) + 1
    end;
place(_, undefined) -> null;
place(_, restarting) -> <<"restarting">>.

start_worker(Init) -> gen_server:start_link(?MODULE, Init, []).

child(#{<<"id">> := Id} = Spec) ->
    Start = {gen_server, start_link, [{local, binary_to_atom(Id)}, ?MODULE, maps:get(<<"init">>, Spec, null), []]},
    #{id => Id, start => Start, restart => binary_to_atom(maps:get(<<"restart">>, Spec)),
      shutdown => shutdown(maps:get(<<"shutdown">>, Spec)), type => worker,
      significant => maps:get(<<"significant">>, Spec, false)}.

shutdown(Time) when is_integer(Time) -> Time;
shutdown(Word) -> binary_to_atom(Word).

%% The server

init({supervisor, #{<<"strategy">> := Strategy, <<"max_restarts">> := Restarts, <<"children">> := Children} = Spec}) ->
    {ok, {#{strategy => binary_to_atom(Strategy), intensity => Restarts, period => 1000,
            auto_shutdown => binary_to_atom(maps:get(<<"auto_shutdown">>, Spec, <<"never">>))},
          [child(Child) || Child <- Children]}};
init({supervisor, #{<<"template">> := Template, <<"max_restarts">> := Restarts}}) ->
    Child = #{id => worker, start => {?MODULE, start_worker, []}, type => worker,
              restart => binary_to_atom(maps:get(<<"restart">>, Template)),
              shutdown => shutdown(maps:get(<<"shutdown">>, Template))},
    {ok, {#{strategy => simple_one_for_one, intensity => Restarts, period => 1000}, [Child]}};
init({machine, #{<<"first">> := First} = Table}) ->
    {ok, First, Table, [Action || Do <- maps:get(<<"start">>, Table, []), Action <- action(Do, none)]};
init(null) ->
    {ok, #{journal => [], held => [], at_end => none, requests => #{}}};
init(Steps) ->
    {ok, Empty} = init(null),
    {Results, Then, State} = perform_all(Steps, [], Empty),
    Noted = note(#{<<"init">> => Results}, State),
    case Then of
        ignore -> ignore;
        {stop, Reason} -> {stop, Reason};
        {reply_and_stop, Reason} -> {stop, Reason};
        {fail, Text} -> error({fail, Text});
        {idle, Ms} -> {ok, Noted, Ms};
        {continue, Times} -> {ok, Noted, {continue, Times}};
        hibernate -> {ok, Noted, hibernate};
        _ -> {ok, Noted}
    end.

handle_call(Step, From, State) ->
    case perform(Step, [], State) of
        {_, hold, #{held := Held} = Next} -> {noreply, Next#{held := Held ++ [From]}};
        {_, {stop, Reason}, Next} -> {stop, Reason, Next};
        {_, {fail, Text}, _} -> error({fail, Text});
        {Result, {reply_and_stop, Reason}, Next} -> {stop, Reason, Result, Next};
        {Result, {idle, Ms}, Next} -> {reply, Result, Next, Ms};
        {Result, {continue, Times}, Next} -> {reply, Result, Next, {continue, Times}};
        {Result, hibernate, Next} -> {reply, Result, Next, hibernate};
        {Result, _, Next} -> {reply, Result, Next}
    end.

handle_cast(Body, State) -> told(#{<<"cast">> => Body}, Body, State).

handle_info(timeout, State) ->
    {noreply, note(<<"idle">>, State)};
handle_info({timeout, Ref, {request, Id}}, #{requests := Requests} = State) ->
    case Requests of
        #{Id := Ref} ->
            timeout = gen_server:receive_response(Id, 0),
            Entry = #{<<"answer">> => #{<<"mark">> => Ref, <<"outcome">> => #{<<"Err">> => <<"timeout">>}}},
            {noreply, note(Entry, State#{requests := maps:remove(Id, Requests)})};
        _ -> {noreply, State}
    end;
handle_info({info, Body} = Message, State) -> told(entry(Message), Body, State);
handle_info({timeout, _, Body} = Message, State) -> told(entry(Message), Body, State);
handle_info(Message, #{requests := Requests} = State) ->
    case [{Id, Ref, Answer} || {Id, Ref} <- maps:to_list(Requests), Answer <- [answer(Message, Id)], Answer =/= no] of
        [{Id, Ref, Answer}] ->
            Entry = #{<<"answer">> => #{<<"mark">> => Ref, <<"outcome">> => Answer}},
            {noreply, note(Entry, State#{requests := maps:remove(Id, Requests)})};
        [] -> {noreply, note(entry(Message), State)}
    end.

answer(Message, Id) ->
    case gen_server:check_response(Message, Id) of
        {reply, Reply} -> #{<<"Ok">> => Reply};
        {error, {Reason, _}} -> #{<<"Err">> => #{<<"ended">> => reason(Reason)}};
        no_reply -> no
    end.

handle_continue(Times, State) ->
    Noted = note(#{<<"continue">> => Times}, State),
    if Times > 1 -> {noreply, Noted, {continue, Times - 1}}; true -> {noreply, Noted} end.

terminate(_, #{at_end := none}) -> ok;
terminate(Reason, #{at_end := {Tell, Steps}} = State) ->
    case Tell of
        null -> ok;
        _ -> send(address(Tell, []), {info, #{<<"terminated">> => reason(Reason)}})
    end,
    perform_all(Steps, [], State).

note(Entry, #{journal := Journal} = State) -> State#{journal := [Entry | Journal]}.

%% A script is done; whatever else comes is noted.
told(_, #{<<"do">> := Script}, State) ->
    {Results, Then, Next} = perform_all(Script, [], State),
    Noted = note(#{<<"did">> => Results}, Next),
    case Then of
        {stop, Reason} -> {stop, Reason, Noted};
        {reply_and_stop, Reason} -> {stop, Reason, Noted};
        {fail, Text} -> error({fail, Text});
        {idle, Ms} -> {noreply, Noted, Ms};
        {continue, Times} -> {noreply, Noted, {continue, Times}};
        hibernate -> {noreply, Noted, hibernate};
        _ -> {noreply, Noted}
    end;
told(Entry, _, State) -> {noreply, note(Entry, State)}.

entry({info, Body}) -> #{<<"info">> => Body};
entry({timeout, Ref, Body}) -> #{<<"timer">> => #{<<"mark">> => Ref, <<"body">> => Body}};
entry({answer, Ref, Outcome}) -> #{<<"answer">> => #{<<"mark">> => Ref, <<"outcome">> => Outcome}};
entry({'EXIT', Pid, Reason}) -> #{<<"exit">> => #{<<"pid">> => Pid, <<"reason">> => reason(Reason)}};
entry({'DOWN', Ref, process, Target, Reason}) ->
    #{<<"down">> => #{<<"mark">> => Ref, <<"target">> => target(Target), <<"reason">> => reason(Reason)}};
entry({Ref, join, Group, [Pid]}) ->
    #{<<"change">> => #{<<"mark">> => Ref, <<"added">> => #{<<"key">> => Group, <<"pid">> => Pid, <<"value">> => null}}};
entry({Ref, leave, Group, [Pid]}) ->
    #{<<"change">> => #{<<"mark">> => Ref, <<"removed">> => #{<<"key">> => Group, <<"pid">> => Pid}}};
entry({{tag, #{<<"$text">> := Text}}, Ref, process, Target, Reason}) ->
    #{<<"down">> := Down} = entry({'DOWN', Ref, process, Target, Reason}),
    #{<<"down">> => Down#{<<"tag">> => #{<<"text">> => Text}}};
entry({'$gen_cast', Body}) -> #{<<"cast">> => Body};
entry({'$gen_call', From, Body}) -> #{<<"call">> => #{<<"caller">> => From, <<"body">> => Body}};
entry(Other) -> #{<<"unknown">> => iolist_to_binary(io_lib:format("~p", [Other]))}.

target({Name, _}) -> #{<<"name">> => atom_to_binary(Name)};
target(Pid) -> #{<<"pid">> => Pid}.

%% The state machine: its arguments say what each state does with which event.

callback_mode() -> [handle_event_function, state_enter].

handle_event(enter, From, State, Table) ->
    say(#{<<"enter">> => State, <<"from">> => From}, Table),
    Entry = maps:get(State, maps:get(<<"enter">>, Table, #{}), []),
    {keep_state_and_data, [Action || Do <- Entry, Action <- action(Do, none)]};
handle_event(Type, Content, State, Table) ->
    {Kind, Word, From} = seen(Type, Content),
    say(#{<<"state">> => State, <<"kind">> => Kind, <<"word">> => Word}, Table),
    case {Table, <<State/binary, " ", Word/binary>>} of
        {#{<<"rules">> := Rules, <<"most">> := Most}, Event} when is_map_key(Event, Rules), Most > 0 ->
            #{Event := Rule} = Rules,
            Actions = [Action || Do <- maps:get(<<"does">>, Rule, []), Action <- action(Do, From)],
            goes(maps:get(<<"goes">>, Rule, <<"Keep">>), Actions, Table#{<<"most">> := Most - 1});
        _ -> keep_state_and_data
    end.

goes(<<"Keep">>, Actions, Table) -> {keep_state, Table, Actions};
goes(<<"Repeat">>, Actions, Table) -> {repeat_state, Table, Actions};
goes(#{<<"To">> := State}, Actions, Table) -> {next_state, State, Table, Actions};
goes(#{<<"Stop">> := Reason}, Actions, Table) ->
    {stop_and_reply, term(Reason), [Reply || {reply, _, _} = Reply <- Actions], Table}.

seen({call, From}, Word) -> {<<"call">>, Word, From};
seen(info, {info, Word}) -> {<<"info">>, Word, none};
seen(timeout, Word) -> {<<"event timeout">>, Word, none};
seen(state_timeout, Word) -> {<<"state timeout">>, Word, none};
seen({timeout, _}, Word) -> {<<"named timeout">>, Word, none};
seen(Type, Word) -> {atom_to_binary(Type), Word, none}.

action(<<"Postpone">>, _) -> [postpone];
action(<<"Hibernate">>, _) -> [hibernate];
action(#{<<"Reply">> := Reply}, From) -> [{reply, From, Reply} || From =/= none];
action(#{<<"Internal">> := Word}, _) -> [{next_event, internal, Word}];
action(#{<<"Cast">> := Word}, _) -> [{next_event, cast, Word}];
action(#{<<"Info">> := Word}, _) -> [{next_event, info, {info, Word}}];
action(#{<<"Call">> := Word}, From) -> [{next_event, {call, From}, Word} || From =/= none];
action(#{<<"After">> := [Kind, Ms, Word]}, _) -> [{timeout_kind(Kind), Ms, Word}];
action(#{<<"Update">> := [Kind, Word]}, _) -> [{timeout_kind(Kind), update, Word}];
action(#{<<"Cancel">> := Kind}, _) -> [{timeout_kind(Kind), cancel}].

timeout_kind(<<"event">>) -> timeout;
timeout_kind(<<"state">>) -> state_timeout;
timeout_kind(#{<<"named">> := Name}) -> {timeout, Name}.

terminate(Reason, State, Table) -> say(#{<<"terminated">> => reason(Reason), <<"state">> => State}, Table).

say(What, #{<<"tell">> := Name}) -> send(binary_to_atom(Name), {info, What}).

%% The task: what awaits it hears of its result before its end.

task(Steps) ->
    receive {go, Owner, Ref} -> ok end,
    Results = lists:foldl(fun(Step, Results) -> Results ++ [task_step(Step, Results)] end, [], Steps),
    Owner ! {answer, Ref, #{<<"Ok">> => Results}}.

task_step(#{<<"Receive">> := Options}, _) ->
    receive Message -> entry(Message) after timeout(Options) -> null end;
task_step(#{<<"ReceiveOnly">> := #{<<"marks">> := Given} = Options}, Results) ->
    Marks = maps:from_list([{given(<<"mark">>, Mark, Results), true} || Mark <- Given]),
    receive Message when is_map_key(element(2, Message), Marks) -> entry(Message) after timeout(Options) -> null end;
task_step(#{<<"Fail">> := Text}, _) ->
    error({fail, Text});
task_step(Step, Results) ->
    {Result, _, _} = perform(Step, Results, #{}),
    Result.

%% Steps: the result, what comes after it, and the state.

perform_all(Steps, Done, State) -> perform_all(Steps, Done, wait, State).

perform_all([], Done, Then, State) -> {Done, Then, State};
perform_all([Step | Steps], Done, Then, State) ->
    {Result, More, Next} = perform(Step, Done, State),
    perform_all(Steps, Done ++ [Result], case More of none -> Then; _ -> More end, Next).

perform(#{<<"Many">> := Steps}, _, State) -> perform_all(Steps, [], State);
perform(<<"Held">>, _, #{held := Held} = State) -> {Held, none, State};
perform(#{<<"Release">> := #{<<"body">> := Body}}, _, #{held := [From | Held]} = State) ->
    gen_server:reply(From, Body),
    {true, none, State#{held := Held}};
perform(#{<<"Release">> := _}, _, State) -> {false, none, State};
perform(#{<<"Echo">> := Body}, _, State) -> {Body, none, note(#{<<"call">> => Body}, State)};
perform(<<"Journal">>, _, #{journal := Journal} = State) -> {lists:reverse(Journal), none, State};
perform(<<"Take">>, _, #{journal := Journal} = State) -> {lists:reverse(Journal), none, State#{journal := []}};
perform(#{<<"AtEnd">> := AtEnd}, _, State) ->
    {null, none, State#{at_end := {maps:get(<<"tell">>, AtEnd, null), maps:get(<<"steps">>, AtEnd, [])}}};
perform(#{<<"Request">> := #{<<"to">> := To, <<"body">> := Body} = Options}, Done, #{requests := Requests} = State) ->
    Id = gen_server:send_request(address(To, Done), Body),
    Ref = case timeout(Options) of
              infinity -> make_ref();
              Ms -> erlang:start_timer(Ms, self(), {request, Id})
          end,
    {Ref, none, State#{requests := Requests#{Id => Ref}}};
perform(<<"Hold">>, _, State) -> {null, hold, State};
perform(<<"Ignore">>, _, State) -> {null, ignore, State};
perform(<<"Hibernate">>, _, State) -> {null, hibernate, State};
perform(#{<<"ReplyAndStop">> := Reason}, _, State) -> {null, {reply_and_stop, term(Reason)}, State};
perform(#{<<"StopWith">> := Reason}, _, State) -> {null, {stop, term(Reason)}, State};
perform(#{<<"Fail">> := Text}, _, State) -> {null, {fail, Text}, State};
perform(#{<<"Continue">> := Times}, _, State) -> {null, {continue, Times}, State};
perform(#{<<"Idle">> := #{<<"after_ms">> := Ms}}, _, State) -> {null, {idle, Ms}, State};
perform(Step, Done, State) -> {do(Step, Done), none, State}.

do(<<"Me">>, _) -> self();
do(#{<<"Send">> := #{<<"to">> := To, <<"body">> := Body}}, Done) -> send(address(To, Done), {info, Body});
do(#{<<"SendNamed">> := #{<<"name">> := Name, <<"body">> := Body}}, _) -> send(binary_to_atom(Name), {info, Body});
do(#{<<"Cast">> := #{<<"to">> := To, <<"body">> := Body}}, Done) ->
    ok = gen_server:cast(address(To, Done), Body),
    null;
do(#{<<"Call">> := #{<<"to">> := To, <<"body">> := Body} = Options}, Done) ->
    outcome(fun() -> gen_server:call(address(To, Done), Body, timeout(Options)) end, fun(Reply) -> #{<<"Ok">> => Reply} end);
do(#{<<"StopServer">> := #{<<"to">> := To, <<"reason">> := Reason} = Options}, Done) ->
    try gen_server:stop(address(To, Done), term(Reason), timeout(Options)) of
        ok -> #{<<"Ok">> => null}
    catch
        exit:timeout -> #{<<"Err">> => <<"timeout">>};
        exit:{Other, {sys, terminate, _}} -> #{<<"Err">> => #{<<"ended">> => reason(Other)}};
        exit:Other -> #{<<"Err">> => #{<<"ended">> => reason(Other)}}
    end;
do(#{<<"CallOrExit">> := #{<<"to">> := To, <<"body">> := Body}}, Done) -> gen_server:call(address(To, Done), Body);
do(#{<<"ReplyTo">> := #{<<"caller">> := Caller, <<"body">> := Body}}, _) ->
    gen_server:reply(Caller, Body),
    null;
do(#{<<"Link">> := #{<<"to">> := To}}, Done) -> attempt(fun() -> link(address(To, Done)) end);
do(#{<<"Unlink">> := #{<<"to">> := To}}, Done) -> unlink(address(To, Done)), null;
do(#{<<"Monitor">> := #{<<"target">> := Target}}, Done) -> erlang:monitor(process, address(Target, Done));
do(#{<<"MonitorWith">> := #{<<"target">> := Target} = Options}, Done) ->
    Alias = maps:get(<<"alias">>, Options, null),
    Tag = maps:get(<<"tag">>, Options, null),
    With = [{alias, alias_mode(Alias)} || Alias =/= null] ++ [{tag, {tag, Tag}} || Tag =/= null],
    Ref = erlang:monitor(process, address(Target, Done), With),
    #{<<"mark">> => Ref, <<"alias">> => if Alias =:= null -> null; true -> Ref end};
do(#{<<"OpenAlias">> := #{<<"once">> := Once}}, _) -> #{<<"alias">> => alias([reply || Once])};
do(#{<<"Unalias">> := #{<<"alias">> := Alias}}, Done) -> unalias(given(<<"alias">>, Alias, Done));
do(#{<<"IsAlive">> := #{<<"pid">> := Pid}}, Done) -> is_process_alive(address(Pid, Done));
do(#{<<"Demonitor">> := #{<<"mark">> := Mark} = Options}, Done) ->
    Flush = [flush || maps:get(<<"flush">>, Options, false)],
    erlang:demonitor(given(<<"mark">>, Mark, Done), [info | Flush]);
do(#{<<"TrapExit">> := On}, _) -> process_flag(trap_exit, On);
do(#{<<"Exit">> := #{<<"to">> := To, <<"reason">> := Reason}}, Done) -> exit(address(To, Done), term(Reason)), null;
do(#{<<"Kill">> := #{<<"to">> := To}}, Done) -> exit(address(To, Done), kill), null;
do(#{<<"Stop">> := #{<<"reason">> := Reason}}, _) -> exit(term(Reason));
do(#{<<"Spawn">> := Options}, _) -> start(Options);
do(#{<<"Register">> := #{<<"name">> := Name} = Options}, Done) ->
    Pid = case Options of
              #{<<"pid">> := Given} -> address(Given, Done);
              _ -> self()
          end,
    attempt(fun() -> register(atom(Name), Pid) end);
do(#{<<"Unregister">> := #{<<"name">> := Name}}, _) ->
    try unregister(binary_to_atom(Name)) catch error:badarg -> false end;
do(#{<<"Whereis">> := #{<<"name">> := Name}}, _) ->
    case whereis(binary_to_atom(Name)) of undefined -> null; Pid -> Pid end;
do(#{<<"Group">> := #{<<"name">> := Name, <<"does">> := Does}}, Done) -> group(Name, Does, Done);
do(#{<<"SendAfter">> := #{<<"after_ms">> := Ms, <<"to">> := To, <<"body">> := Body}}, Done) ->
    erlang:send_after(Ms, address(To, Done), {info, Body});
do(#{<<"StartTimer">> := #{<<"after_ms">> := Ms, <<"body">> := Body}}, _) -> erlang:start_timer(Ms, self(), Body);
do(#{<<"Cancel">> := #{<<"mark">> := Mark}}, Done) -> left(erlang:cancel_timer(given(<<"mark">>, Mark, Done)));
do(#{<<"Left">> := #{<<"mark">> := Mark}}, Done) -> left(erlang:read_timer(given(<<"mark">>, Mark, Done)));
do(#{<<"Panic">> := Text}, _) -> error({panic, Text}).

group(Name, #{<<"Join">> := Who}, Done) -> #{<<"Ok">> => null(pg:join(Name, member(Who, Done)))};
group(Name, #{<<"Leave">> := Who}, Done) -> #{<<"Ok">> => pg:leave(Name, member(Who, Done)) =:= ok};
group(Name, <<"Members">>, _) -> #{<<"Ok">> => pg:get_members(Name)};
group(_, <<"Groups">>, _) -> #{<<"Ok">> => pg:which_groups()};
group(Name, <<"Monitor">>, _) ->
    {Ref, Members} = pg:monitor(Name),
    #{<<"Ok">> => [Ref, Members]};
group(_, <<"MonitorAll">>, _) ->
    {Ref, Groups} = pg:monitor_scope(),
    #{<<"Ok">> => [Ref, [[Group, Pid] || {Group, Members} <- maps:to_list(Groups), Pid <- Members]]};
group(_, #{<<"Demonitor">> := #{<<"mark">> := Mark}}, Done) -> pg:demonitor(given(<<"mark">>, Mark, Done)) =:= ok.

member(#{<<"pid">> := Pid}, Done) -> address(Pid, Done);
member(_, _) -> self().

null(ok) -> null.

alias_mode(<<"explicit-unalias">>) -> explicit_unalias;
alias_mode(<<"demonitor">>) -> demonitor;
alias_mode(<<"reply-demonitor">>) -> reply_demonitor.

left(false) -> null;
left(Ms) -> Ms.

send(To, Message) -> attempt(fun() -> To ! Message end).

attempt(Do) ->
    try Do(), #{<<"Ok">> => null}
    catch error:_ -> #{<<"Err">> => <<"refused">>} end.

outcome(Call, Shown) ->
    try Shown(Call())
    catch
        exit:{timeout, {gen_server, call, _}} -> #{<<"Err">> => <<"timeout">>};
        exit:{calling_self, _} -> #{<<"Err">> => <<"refused">>};
        exit:{Reason, {gen_server, call, _}} -> #{<<"Err">> => #{<<"ended">> => reason(Reason)}}
    end.

start(#{<<"module">> := <<"probe-task">>, <<"args">> := Steps} = Options) ->
    Pid = spawn(fun() -> task(Steps) end),
    maps:get(<<"link">>, Options, false) andalso link(Pid),
    Ref = monitor_of(Pid, Options),
    Pid ! {go, self(), Ref},
    #{<<"Ok">> => #{<<"pid">> => Pid, <<"mark">> => Ref}};
start(#{<<"module">> := <<"probe-machine">>, <<"args">> := Table} = Options) ->
    Args = {machine, maps:merge(#{<<"rules">> => #{}, <<"most">> => 1000}, Table)},
    {ok, Pid} = case Options of
                    #{<<"link">> := true} -> gen_statem:start_link(?MODULE, Args, []);
                    _ -> gen_statem:start(?MODULE, Args, [])
                end,
    #{<<"Ok">> => #{<<"pid">> => Pid, <<"mark">> => monitor_of(Pid, Options)}};
start(Options) ->
    Args = maps:get(<<"args">>, Options, null),
    Name = case Options of #{<<"name">> := Text} -> [{local, binary_to_atom(Text)}]; _ -> [] end,
    Started = case Options of
                  #{<<"link">> := true} -> start_linked(fun() -> apply(gen_server, start_link, Name ++ [?MODULE, Args, []]) end);
                  _ -> apply(gen_server, start, Name ++ [?MODULE, Args, []])
              end,
    case Started of
        {ok, Pid} -> #{<<"Ok">> => #{<<"pid">> => Pid, <<"mark">> => monitor_of(Pid, Options)}};
        ignore -> #{<<"Err">> => <<"ignored">>};
        {error, {already_started, Pid}} -> #{<<"Err">> => #{<<"refused">> => #{<<"taken">> => Pid}}};
        {error, Reason} -> #{<<"Err">> => #{<<"failed">> => reason(Reason)}}
    end.

%% From OTP 26 on a failed start leaves no exit signal behind. Before, it comes a little after the answer.
start_linked(Start) ->
    case Start() of
        {ok, Pid} -> {ok, Pid};
        Failed -> receive {'EXIT', _, _} -> Failed after 100 -> Failed end
    end.

monitor_of(Pid, #{<<"monitor">> := true}) -> erlang:monitor(process, Pid);
monitor_of(_, _) -> null.

timeout(#{<<"timeout_ms">> := null}) -> infinity;
timeout(Options) -> maps:get(<<"timeout_ms">>, Options, 5000).

address(#{<<"pid">> := Pid}, _) -> Pid;
address(#{<<"name">> := Name}, _) -> binary_to_atom(Name);
address(#{<<"alias">> := Alias}, _) -> Alias;
address(#{<<"step">> := _} = Given, Done) -> given(<<"pid">>, Given, Done);
address(Name, _) when is_binary(Name) -> binary_to_atom(Name);
address(Pid, _) -> Pid.

%% The empty name is none, which OTP calls `undefined`.
atom(<<>>) -> undefined;
atom(Name) -> binary_to_atom(Name).

given(Key, #{<<"step">> := Number}, Done) -> find(Key, lists:nth(Number + 1, Done));
given(_, Value, _) -> Value.

find(Key, #{<<"Ok">> := Result}) when is_map(Result) -> find(Key, Result);
find(Key, Result) when is_map_key(Key, Result) -> maps:get(Key, Result);
find(_, Result) -> Result.

%% Reasons, as a script has them and as Erlang has them

term(<<"normal">>) -> normal;
term(<<"killed">>) -> killed;
term(<<"noproc">>) -> noproc;
term(#{<<"shutdown">> := null}) -> shutdown;
term(#{<<"shutdown">> := Body}) -> {shutdown, Body};
term(#{<<"custom">> := Body}) -> {custom, Body};
term(#{<<"limit">> := Text}) -> {limit, Text};
term(#{<<"failed">> := Text}) -> {{fail, Text}, []}.

reason(normal) -> <<"normal">>;
reason(killed) -> <<"killed">>;
reason(noproc) -> <<"noproc">>;
reason(shutdown) -> #{<<"shutdown">> => null};
reason({shutdown, {failed_to_start_child, Id, Why}}) -> #{<<"failed to start">> => Id, <<"because">> => reason(Why)};
reason({shutdown, Body}) -> #{<<"shutdown">> => Body};
reason({custom, Body}) -> #{<<"custom">> => Body};
reason({limit, Text}) -> #{<<"limit">> => Text};
reason({{fail, Text}, Stack}) when is_list(Stack) -> #{<<"failed">> => Text};
reason({{panic, _}, Stack}) when is_list(Stack) -> <<"trap">>;
reason({timeout, {gen_server, call, _}}) -> <<"timeout">>;
reason({Reason, {gen_server, call, _}}) -> reason(Reason);
reason(Other) -> #{<<"unknown">> => iolist_to_binary(io_lib:format("~p", [Other]))}.

%% JSON

json(Map) when is_map(Map) ->
    [${, lists:join($,, [[json(Key), $:, json(Value)] || {Key, Value} <- maps:to_list(Map)]), $}];
json(List) when is_list(List) -> [$[, lists:join($,, [json(Value) || Value <- List]), $]];
json(Text) when is_binary(Text) -> [$", [escaped(Char) || <<Char>> <= Text], $"];
json(Number) when is_integer(Number) -> integer_to_list(Number);
json(Word) when is_atom(Word) -> atom_to_list(Word);
json(Other) -> json(iolist_to_binary(io_lib:format("~p", [Other]))).

escaped($") -> "\\\"";
escaped($\\) -> "\\\\";
escaped(Char) when Char < 32 -> io_lib:format("\\u~4.16.0b", [Char]);
escaped(Char) -> Char.
