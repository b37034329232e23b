package sendbird

// table lists what the emulator answers below /v3. Literal segments stand before parameters where both match.
func (s *Server) table() *router {
	rt := &router{}
	userRoutes(rt)
	groupRoutes(rt)
	openRoutes(rt)
	sharedRoutes(rt)
	settingRoutes(rt)
	return rt
}

func userRoutes(rt *router) {
	rt.add("POST /users", noScope, createUser)
	rt.add("GET /users", noScope, listUsers)
	rt.add("GET /users/{user_id}", noScope, getUser)
	rt.add("PUT /users/{user_id}", perUser, updateUser)
	rt.add("DELETE /users/{user_id}", noScope, deleteUser)
	rt.add("PUT /users/{user_id}/mark_as_read_all", noScope, markAllRead)
	rt.add("GET /users/{user_id}/unread_message_count", noScope, unreadMessageCount)
	rt.add("GET /users/{user_id}/unread_channel_count", noScope, unreadChannelCount)
	rt.add("GET /users/{user_id}/my_group_channels", noScope, myGroupChannels)
	rt.add("PUT /users/{user_id}/my_group_channels/leave", noScope, leaveMyChannels)
	rt.add("GET /users/{user_id}/group_channel_count", noScope, groupChannelCount)
	rt.add("POST /users/{user_id}/token", noScope, createUserToken)
	rt.add("GET /users/{user_id}/channel_invitation_preference", noScope, getInvitation)
	rt.add("PUT /users/{user_id}/channel_invitation_preference", noScope, putInvitation)
	rt.add("GET /users/{user_id}/push_preference", noScope, getPush)
	rt.add("PUT /users/{user_id}/push_preference", noScope, putPush)
	rt.add("POST /users/{user_id}/block", noScope, blockUser)
	rt.add("GET /users/{user_id}/block", noScope, listBlocked)
	rt.add("DELETE /users/{user_id}/block/{target_id}", noScope, unblockUser)
	metadataRoutes(rt, "/users/{user_id}/metadata", userMetadata)
}

func metadataRoutes(rt *router, path string, of metaOf) {
	rt.add("GET "+path, noScope, getMetadata(of))
	rt.add("POST "+path, noScope, createMetadata(of))
	rt.add("PUT "+path, noScope, updateMetadata(of))
	rt.add("DELETE "+path, noScope, deleteMetadata(of))
	rt.add("GET "+path+"/{key}", noScope, getMetadataKey(of))
	rt.add("PUT "+path+"/{key}", noScope, updateMetadataKey(of))
	rt.add("DELETE "+path+"/{key}", noScope, deleteMetadataKey(of))
}

func groupRoutes(rt *router) {
	const ch = "/group_channels/{channel_url}"
	rt.add("POST /group_channels", perApp, createGroupChannel)
	rt.add("GET /group_channels", noScope, listGroupChannels)
	rt.add("GET "+ch, noScope, getChannel)
	rt.add("PUT "+ch, noScope, updateChannel)
	rt.add("DELETE "+ch, noScope, deleteChannel)
	rt.add("GET "+ch+"/members", noScope, listMembers)
	rt.add("GET "+ch+"/members/{user_id}", noScope, getMember)
	rt.add("POST "+ch+"/invite", perChannel, inviteMembers)
	rt.add("PUT "+ch+"/accept", noScope, acceptInvitation)
	rt.add("PUT "+ch+"/decline", noScope, declineInvitation)
	rt.add("PUT "+ch+"/join", noScope, joinChannel)
	rt.add("PUT "+ch+"/leave", noScope, leaveChannel)
	rt.add("PUT "+ch+"/hide", noScope, hideChannel)
	rt.add("DELETE "+ch+"/hide", noScope, unhideChannel)
	rt.add("POST "+ch+"/typing", noScope, setTyping(true))
	rt.add("DELETE "+ch+"/typing", noScope, setTyping(false))
	rt.add("PUT "+ch+"/messages/mark_as_read", perChannel, markAsRead)
	rt.add("PUT "+ch+"/messages/mark_as_delivered", noScope, markAsDelivered)
	rt.add("GET "+ch+"/messages/unread_count", noScope, unreadCounts)
}

func openRoutes(rt *router) {
	const ch = "/open_channels/{channel_url}"
	rt.add("POST /open_channels", perApp, createOpenChannel)
	rt.add("GET /open_channels", noScope, listOpenChannels)
	rt.add("GET "+ch, noScope, getChannel)
	rt.add("PUT "+ch, noScope, updateChannel)
	rt.add("DELETE "+ch, noScope, deleteChannel)
	rt.add("GET "+ch+"/participants", noScope, listParticipants)
}

// sharedRoutes are the same for group and open channels.
func sharedRoutes(rt *router) {
	const ch = "/{channel_type}/{channel_url}"
	rt.add("PUT "+ch+"/freeze", noScope, freezeChannel)
	rt.add("GET "+ch+"/operators", noScope, listOperators)
	rt.add("POST "+ch+"/operators", noScope, addOperators)
	rt.add("DELETE "+ch+"/operators", noScope, removeOperators)
	rt.add("POST "+ch+"/mute", noScope, muteUser)
	rt.add("GET "+ch+"/mute", noScope, listMuted)
	rt.add("GET "+ch+"/mute/{user_id}", noScope, getMute)
	rt.add("DELETE "+ch+"/mute/{user_id}", noScope, lift(mutesOf))
	rt.add("POST "+ch+"/ban", noScope, banUser)
	rt.add("GET "+ch+"/ban", noScope, listBanned)
	rt.add("GET "+ch+"/ban/{user_id}", noScope, getBan)
	rt.add("PUT "+ch+"/ban/{user_id}", noScope, updateBan)
	rt.add("DELETE "+ch+"/ban/{user_id}", noScope, lift(bansOf))
	metadataRoutes(rt, ch+"/metadata", channelMetadata)

	rt.add("GET "+ch+"/metacounter", noScope, getCounters)
	rt.add("POST "+ch+"/metacounter", noScope, createCounters)
	rt.add("PUT "+ch+"/metacounter", noScope, updateCounters)
	rt.add("DELETE "+ch+"/metacounter", noScope, deleteCounters)
	rt.add("GET "+ch+"/metacounter/{key}", noScope, getCounters)
	rt.add("PUT "+ch+"/metacounter/{key}", noScope, updateCounters)
	rt.add("DELETE "+ch+"/metacounter/{key}", noScope, deleteCounters)

	const m = ch + "/messages"
	rt.add("POST "+m, perChannel, sendMessage)
	rt.add("GET "+m, noScope, listMessages)
	rt.add("GET "+m+"/total_count", noScope, totalCount)
	rt.add("GET "+m+"/{message_id}", noScope, getMessage)
	rt.add("PUT "+m+"/{message_id}", noScope, updateMessage)
	rt.add("DELETE "+m+"/{message_id}", noScope, deleteMessage)
	rt.add("POST "+m+"/{message_id}/reactions", noScope, addReaction)
	rt.add("GET "+m+"/{message_id}/reactions", noScope, listReactions)
	rt.add("DELETE "+m+"/{message_id}/reactions", noScope, removeReaction)
	rt.add("POST "+m+"/{message_id}/sorted_metaarray", noScope, addArrays)
	rt.add("PUT "+m+"/{message_id}/sorted_metaarray", noScope, updateArrays)
	rt.add("DELETE "+m+"/{message_id}/sorted_metaarray", noScope, deleteArrays)
}

func settingRoutes(rt *router) {
	rt.add("POST /report/users/{user_id}", noScope, reportUser)
	rt.add("POST /report/{channel_type}/{channel_url}", noScope, reportChannel)
	rt.add("POST /report/{channel_type}/{channel_url}/messages/{message_id}", noScope, reportMessage)
	rt.add("GET /report", noScope, listReports)

	const app = "/applications"
	rt.add("GET "+app+"/settings/webhook", noScope, getWebhook)
	rt.add("PUT "+app+"/settings/webhook", noScope, putWebhook)
	rt.add("GET "+app+"/settings/ip_whitelist", noScope, getAllowed)
	rt.add("PUT "+app+"/settings/ip_whitelist", noScope, addAllowed)
	rt.add("DELETE "+app+"/settings/ip_whitelist", noScope, removeAllowed)
	rt.add("GET "+app+"/default_channel_invitation_preference", noScope, getDefaultInvitation)
	rt.add("PUT "+app+"/default_channel_invitation_preference", noScope, putDefaultInvitation)
	rt.add("POST "+app+"/api_tokens", noScope, createToken)
	rt.add("GET "+app+"/api_tokens", noScope, listTokens)
	rt.add("GET "+app+"/api_tokens/{api_token}", noScope, oneToken(false))
	rt.add("DELETE "+app+"/api_tokens/{api_token}", noScope, oneToken(true))
}
