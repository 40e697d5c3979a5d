# bash completion for trawlctl(1)

# the names of the sections [$1 NAME] of the configuration $2
_trawlctl_names()
{
	local kind=$1 file=$2 sections
	sections=$(sed -n "s/^\\[$kind[[:space:]]\\{1,\\}\\([^]]*\\)\\].*/\\1/p" \
		"$file" "$(dirname "$file")"/conf.d/*.conf 2>/dev/null)
	printf '%s\n' "$sections"
}

# the names of the definitions beside the configuration $1, and of those that are installed
_trawlctl_providers()
{
	find "$(dirname "$1")/providers" /usr/share/trawld/providers -name '*.conf' 2>/dev/null |
		sed 's|.*/||; s|\.conf$||'
}

_trawlctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local commands="backup cat check cluster config coverage cursor dead-letters definition drop-sink events find gaps help pause poll probe prove providers refill reload rename rename-sink replay report resume rewind setup skip state status tail test top verify"
	local options="-c -h --config --help --version"
	local command= file=/etc/trawld/trawld.conf i
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-c | --config) file=${COMP_WORDS[++i]} ;;
		-*) ;;
		*) [ -n "$command" ] || command=${COMP_WORDS[i]} ;;
		esac
	done
	case $prev in
	-c | --config)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--format)
		mapfile -t COMPREPLY < <(compgen -W "json md html" -- "$cur")
		return
		;;
	--source)
		mapfile -t COMPREPLY < <(compgen -W "$(_trawlctl_names source "$file")" -- "$cur")
		return
		;;
	--from | --to)
		mapfile -t COMPREPLY < <(compgen -W "-1h -1d earliest now previous $(date -u +%Y-%m-%dT00:00:00Z)" -- "$cur")
		return
		;;
	esac
	case $command in
	"") mapfile -t COMPREPLY < <(compgen -W "$commands $options" -- "$cur") ;;
	providers)
		mapfile -t COMPREPLY < <(compgen -W "$(_trawlctl_providers "$file") --example" -- "$cur")
		;;
	config) mapfile -t COMPREPLY < <(compgen -W "--defaults" -- "$cur") ;;
	setup)
		mapfile -t COMPREPLY < <(compgen -W "--provider --set --archive --no-probe" -- "$cur")
		;;
	coverage) mapfile -t COMPREPLY < <(compgen -W "$(_trawlctl_names source "$file") --since --json" -- "$cur") ;;
	cursor) mapfile -t COMPREPLY < <(compgen -W "$(_trawlctl_names source "$file") --json" -- "$cur") ;;
	status)
		mapfile -t COMPREPLY < <(compgen -W "$(_trawlctl_names source "$file")
			$(_trawlctl_names sink "$file") --json --watch --failing --check" -- "$cur")
		;;
	cat) mapfile -t COMPREPLY < <(compgen -W "$(_trawlctl_names source "$file") --from --to --json" -- "$cur") ;;
	replay)
		if [ "$prev" = --file ] || [ "$prev" = --key ]; then
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		elif [ "$prev" = --source ]; then
			mapfile -t COMPREPLY < <(compgen -W "$(_trawlctl_names source "$file")" -- "$cur")
		else
			mapfile -t COMPREPLY < <(compgen -W "$(_trawlctl_names sink "$file")
				--source --from --to --file --key --force --dry-run --stop" -- "$cur")
		fi
		;;
	help) mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur") ;;
	find) mapfile -t COMPREPLY < <(compgen -W "--json" -- "$cur") ;;
	events) mapfile -t COMPREPLY < <(compgen -W "--since --json" -- "$cur") ;;
	gaps) mapfile -t COMPREPLY < <(compgen -W "$(_trawlctl_names source "$file") --acknowledge --all --json" -- "$cur") ;;
	probe) mapfile -t COMPREPLY < <(compgen -W "$(_trawlctl_names source "$file") --all --json --limit" -- "$cur") ;;
	tail) mapfile -t COMPREPLY < <(compgen -W "$(_trawlctl_names source "$file") --json --limit" -- "$cur") ;;
	poll | refill | skip) mapfile -t COMPREPLY < <(compgen -W "$(_trawlctl_names source "$file")" -- "$cur") ;;
	rename) mapfile -t COMPREPLY < <(compgen -W "$(_trawlctl_names source "$file")" -- "$cur") ;;
	pause | resume)
		mapfile -t COMPREPLY < <(compgen -W "$(_trawlctl_names source "$file")
			$(_trawlctl_names sink "$file")" -- "$cur")
		;;
	rename-sink | drop-sink | test)
		mapfile -t COMPREPLY < <(compgen -W "$(_trawlctl_names sink "$file")" -- "$cur")
		;;
	top)
		if [ "$prev" = --sort ]; then
			mapfile -t COMPREPLY < <(compgen -W "failing name late rate hour errors" -- "$cur")
		else
			mapfile -t COMPREPLY < <(compgen -W "--sort" -- "$cur")
		fi
		;;
	verify) mapfile -t COMPREPLY < <(compgen -f -W "--key --anchor --events --tsa-ca --json" -- "$cur") ;;
	report)
		mapfile -t COMPREPLY < <(compgen -f -W "--from --to --format --source --key --seal-key --anchor --tsa-ca --check" -- "$cur")
		;;
	prove) mapfile -t COMPREPLY < <(compgen -f -W "--line" -- "$cur") ;;
	backup) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	cluster) mapfile -t COMPREPLY < <(compgen -W "status reshard --json" -- "$cur") ;;
	state)
		if [ "$prev" = --to ]; then
			mapfile -t COMPREPLY < <(compgen -W "postgresql sqlite" -- "$cur")
		else
			mapfile -t COMPREPLY < <(compgen -W "move --to" -- "$cur")
		fi
		;;
	dead-letters)
		mapfile -t COMPREPLY < <(compgen -W "list resend discard
			$(_trawlctl_names sink "$file") --json" -- "$cur")
		;;
	definition)
		mapfile -t COMPREPLY < <(compgen -W "new lint record test --raw --headers $(_trawlctl_names source "$file")
			$(_trawlctl_providers "$file")" -- "$cur")
		;;
	rewind) mapfile -t COMPREPLY < <(compgen -W "$(_trawlctl_names source "$file") --to --dry-run" -- "$cur") ;;
	esac
}

complete -F _trawlctl trawlctl
