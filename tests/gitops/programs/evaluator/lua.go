package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	lua "github.com/yuin/gopher-lua"
	luajson "layeh.com/gopher-json"
)

// argoTimeout is how long Argo CD lets a script run.
const argoTimeout = time.Second

// runLua runs a script of argocd-cm with the libraries that Argo CD gives it where useOpenLibs is not set:
// package, base and table, and by require("os") time and date. No string, no math.
func runLua(script string, object map[string]any) (json.RawMessage, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{
		{lua.LoadLibName, lua.OpenPackage},
		{lua.BaseLibName, lua.OpenBase},
		{lua.TabLibName, lua.OpenTable},
	} {
		open := lua.P{Fn: state.NewFunction(library.open), Protect: true}
		if err := state.CallByParam(open, lua.LString(library.name)); err != nil {
			return nil, err
		}
	}
	state.PreloadModule(lua.OsLibName, safeOS)

	ctx, cancel := context.WithTimeout(context.Background(), argoTimeout)
	defer cancel()
	state.SetContext(ctx)

	text, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	value, err := luajson.Decode(state, text)
	if err != nil {
		return nil, err
	}
	state.SetGlobal("obj", value)
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	result := state.Get(-1)
	if result.Type() != lua.LTTable {
		return nil, fmt.Errorf("the script returns a %s, not a table", result.Type())
	}
	return luajson.Encode(result)
}

// safeOS is the module os with no more than time and date in it.
func safeOS(state *lua.LState) int {
	whole := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer whole.Close()
	lua.OpenOs(whole)
	module := state.NewTable()
	for _, name := range []string{"time", "date"} {
		function := whole.GetField(whole.GetGlobal(lua.OsLibName), name).(*lua.LFunction)
		module.RawSetString(name, state.NewFunction(function.GFunction))
	}
	state.Push(module)
	return 1
}
